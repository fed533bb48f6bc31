"""The config of a whole tiny experiment on faces, for `brainjax run`."""

import tiny_faces


def get_config():
    return tiny_faces.get_run_config()

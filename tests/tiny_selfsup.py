"""A tiny config of the self-supervised method, and its pictures."""

import tiny

PICTURES = tiny.pictures(64, seed=1)


def config(**changes):
    """The tiny config with changes, such as decoder__epochs=1."""
    c = tiny.get_config()
    c.update_from_flattened_dict(
        {name.replace('__', '.'): value for name, value in changes.items()}
    )
    return c

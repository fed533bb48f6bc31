"""Scores of several subjects and runs as one."""

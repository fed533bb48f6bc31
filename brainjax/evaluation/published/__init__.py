"""Scores as published lines of work define them, beside what papers report."""

"""Scores of what people choose, and what they are shown."""

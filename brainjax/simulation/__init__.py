"""Subjects and scenes that stand in for a brain and what it sees."""

"""Frozen networks."""

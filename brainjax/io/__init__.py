"""Bytes to arrays and back; knows no science."""

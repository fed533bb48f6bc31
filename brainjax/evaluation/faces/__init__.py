"""Scores of the published analysis of faces (VanRullen & Reddy 2019)."""

"""Scores and pictures of what a model separated, beside the truth."""

"""Datasets as people have them: folders of songs in, decoded stems out."""

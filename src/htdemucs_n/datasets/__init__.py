"""Datasets: folders of songs in, decoded stems out."""

"""Catalogues of songs in folders and object stores: separated by many processes or machines, each song once."""

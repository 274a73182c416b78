"""Turns bytes into the text of cells: encodings, notebooks, magics, small repairs."""

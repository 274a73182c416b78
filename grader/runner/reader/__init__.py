"""Reads an upload and runs none of it. In the box, because even a parser can be hurt."""

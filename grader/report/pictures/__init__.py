"""The pictures of a report: defined in `charts`, drawn by `drawing`, which others start by its path."""

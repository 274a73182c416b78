"""Facts about the class and the file that the source alone shows."""

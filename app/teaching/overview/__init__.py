"""A course as its staff see it: the table of grades, what needs a look, a student's whole work, and activity."""

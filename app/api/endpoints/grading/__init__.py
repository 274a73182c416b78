"""Endpoints of grades in a course: the grades, and what people do about them."""

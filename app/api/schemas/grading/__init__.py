"""Bodies about grades in a course, and about what people do about them."""

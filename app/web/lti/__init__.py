"""LTI in the browser: launches, the connection of a course with its platform, and the platforms."""

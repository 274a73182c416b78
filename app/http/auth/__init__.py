"""Authentication: the caller of a route, and the proof that a form comes from a page of ours."""

"""Who asks, and whether a form comes from a page of ours."""

"""The pages for browsers: routes, templates, style."""

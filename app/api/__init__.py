"""The JSON API: its endpoints, its bodies, and the document that describes them."""

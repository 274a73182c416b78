"""Questions to the box, and its answers. Nothing in here judges."""

"""Questions to the box, and what came back. Nothing in here judges."""

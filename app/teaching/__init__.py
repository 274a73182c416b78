"""Teachers' tools: regrades, held attempts, statistics."""

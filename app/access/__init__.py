"""Access: tokens, limits, and requests that can be sent twice."""

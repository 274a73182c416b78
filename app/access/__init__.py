"""Who may ask for what: tokens, limits, and requests that can be sent twice."""

"""Common to every request: who asks, in which language, how it is refused, how a page is made."""

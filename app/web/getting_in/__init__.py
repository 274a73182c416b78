"""The ways in and out: a link or a token, a join link, single sign-on, a new link by mail, the end of the session."""

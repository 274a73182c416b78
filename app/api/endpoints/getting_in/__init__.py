"""Endpoints of the ways in: rosters, personal links, join links."""

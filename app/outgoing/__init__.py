"""Requests to addresses that others have named: checked, limited in time and size, and never redirected."""

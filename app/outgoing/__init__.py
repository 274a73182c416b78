"""Requests to addresses that others have named: checked, limited in time and size, and never redirected.

The loop that sends what is due is here too.
"""

"""Requests to addresses that others choose: checked, limited in time and size, and never redirected.

The loop that sends the due items of an outbox is here as well.
"""

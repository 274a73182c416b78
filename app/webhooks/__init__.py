"""Webhooks: every new report is sent to the addresses that clients have registered.

The transaction that stores a report also stores its deliveries, so none is forgotten. They are sent afterwards, again
and again until the receiver confirms. A receiver may get one twice, and recognises it by its id.
"""

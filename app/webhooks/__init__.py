"""Webhooks, which send every new report to the addresses that clients have registered.

The transaction that stores a report also stores its deliveries, so none is forgotten. Each is sent afterwards, and
repeated until the receiver confirms it. A receiver may get one twice, and recognises it by its id.
"""

"""Webhooks: what is graded is told to addresses that clients have left here.

A delivery is stored in the transaction that stores the report, so that none is forgotten; it is sent afterwards, again
and again until the receiver says that it has it. So a receiver may get one twice, and tells by its id that it did.
"""

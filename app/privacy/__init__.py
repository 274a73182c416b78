"""Personal data: its export as an archive, its deletion, and its retention time.

`export` writes the archive and `deletion` deletes. A table that is added later is covered by deletion through its
foreign keys, and a test reports that the archive lacks it. `mentions` finds people in texts, and `retention` deletes
old data.
"""

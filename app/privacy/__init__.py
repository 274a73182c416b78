"""Personal data: what is kept about a person, given out as an archive, deleted, and forgotten with time.

`export` writes the archive and `deletion` deletes. A table that is added later is deleted by its foreign keys, and a
test says that the archive lacks it. `mentions` finds people in texts, and `retention` deletes what is old.
"""

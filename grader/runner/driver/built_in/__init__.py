"""Takes built-in recurrent code out of a warm process, and recognises copies of it."""

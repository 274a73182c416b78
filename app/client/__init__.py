"""The client of a service: one file, for notebooks (`/notebook.py`) and for the command ``submit``.

It imports nothing of ours, because it runs where only Python is installed.
"""

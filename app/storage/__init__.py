"""The database: its tables, its connections, and what is known of its file."""

"""Work on the numbers of answers alone: compare them, read them in other forms, explain them by known mistakes."""

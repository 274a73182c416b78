"""The pages on which the staff follow a course: grades, what needs a look, a student's work, requests for review.

They show what `app.teaching` works out, and change nothing by themselves. `routes.router` has all of these pages.
"""

"""Names that we give to platforms and get back from them."""

#: The custom parameter of a link that names its assignment.
ASSIGNMENT = "assignment"
#: Marks our columns in a grade book.
TAG = "lstm-grader"

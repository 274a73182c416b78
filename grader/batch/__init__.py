"""A whole course at once: find the submissions, grade them side by side, write the grade book."""

"""Pages of operation: regrades, batches and the grade book of a course; the state of the service."""

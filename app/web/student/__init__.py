"""The pages of a student: the own courses, an assignment and handing in, the wait, the report, the attempts."""

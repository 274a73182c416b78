"""The pages about the members of a course: the list, one member, two who are one student."""

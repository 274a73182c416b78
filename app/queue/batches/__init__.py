"""Batches: a platform's archive of everybody's files becomes ordinary attempts of the course's students.

`reading` reads an archive from a stranger, a file at a time, and `matching` finds the owner of each file. `taking_in`
stores the files with their owners, and hands them in afterwards; both go on where they stopped, so a restart loses no
file. `lines` lists batches and their files. Uploads of students go before those of a batch, which the queue treats
like a regrade.
"""

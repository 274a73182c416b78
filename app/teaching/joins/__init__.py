"""Joins: two members of a course who are one student become one member, and can be taken apart again.

The kept member gets the other one's attempts, numbered by their time together with the own ones, extensions,
adjustments, comments, checks, and tokens with their links. The other one is removed and keeps nothing but the log. A
`Merge` row has the values from before of everything that moved, and undoing puts them back; what came since stays with
the kept member. Why things move: `docs/decisions/0008-joins-move-what-a-member-has.md`.

`joins` finds the two, refuses, and writes the row; `moving` moves what they have, `persons` who they are.
"""

"""Task 2 of the exercise: the student's own copying of the weights, and the student's own comparison.

The notebook is run in the box as it stands. What its models hold and what it shows come back as data (`runs.py`).
`copying.py` compares the weights; `comparing.py` has the notebook run again with one of the two answers spoiled: what a
real comparison shows must move, whichever of them it is.
"""

from grader.task2.finding import Finding, Notebook
from grader.task2.judging import run_notebook
from grader.task2.runs import NotebookRunner

__all__ = ["Finding", "Notebook", "NotebookRunner", "run_notebook"]

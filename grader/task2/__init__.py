"""Task 2 of the exercise: the student's own copying of the weights, and the student's own comparison.

The notebook runs unchanged in the box. Its models' weights and everything it shows come back as data (`runs.py`).
`copying.py` compares the weights. `comparing.py` has the notebook run again with one of the two answers spoiled: the
result of a real comparison must change, whichever answer it is.
"""

from grader.task2.judging import Notebook, run_notebook
from grader.task2.runs import NotebookRunner

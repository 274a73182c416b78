# The template of a CodeRunner question: type python3, "Is combinator" ticked, grader "Template grader", and hand_in.py
# among the support files. Without a grade its exit code is an error, and CodeRunner leaves the attempt ungraded.
import subprocess
import sys
from pathlib import Path

Path("LSTM.py").write_text("""{{ STUDENT_ANSWER | e('py') }}""", encoding="utf-8")
student = """{{ STUDENT.username | e('py') }}"""
sys.exit(subprocess.call([sys.executable, "-I", "hand_in.py", "coderunner", student, "LSTM.py"]))

"""The student's code as a module, and its objects seen from outside."""

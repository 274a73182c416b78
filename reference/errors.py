"""What can stop us from having a correct answer. Neither is ever the student's fault, so neither becomes a grade."""


class ReferenceMismatch(Exception):
    """The float64 oracle and Keras disagree: one of our two definitions of a correct answer is wrong."""


class ReferenceUnavailable(Exception):
    """The answers could not be computed or stored: no TensorFlow, a failed building process, an unusable cache."""

"""Reasons for having no correct answer. None of them is ever the student's fault, so none becomes a grade."""


class ReferenceMismatch(Exception):
    """The float64 oracle and Keras disagree: one of our two definitions of a correct answer is wrong."""


class ReferenceUnavailable(Exception):
    """The answers could not be computed or stored: no TensorFlow, a failed building process, an unusable cache."""


class ReferenceClosed(ReferenceUnavailable):
    """This process stops, so no more answers are built."""

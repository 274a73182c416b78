"""Finds the parts of an LSTM in the values that the tracer followed, and describes them."""

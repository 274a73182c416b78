"""Finds the parts of an LSTM in what the tracer followed, and says what stands there."""

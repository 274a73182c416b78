"""Finds the parts of the layer in the values that the tracer followed, and describes them."""

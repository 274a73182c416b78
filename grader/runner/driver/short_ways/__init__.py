"""Short ways around Keras' bookkeeping, where nobody can tell (decision 7)."""

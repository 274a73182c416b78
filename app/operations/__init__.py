"""How the process does: the engine it grades with, what monitoring reads, whether it can grade and store."""

"""For teachers: regrades, held attempts, how an assignment went."""

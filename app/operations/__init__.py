"""Operations: the warm engine, metrics, and the proofs that this process can grade and store."""

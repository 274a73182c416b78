"""Operations: the warm engine, metrics, backups, and the proofs that this process can grade and store."""

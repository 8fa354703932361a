"""What the machine could do without the ledger: the least work that each measured value cannot avoid, as code."""

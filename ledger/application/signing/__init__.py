"""Signing: keys, checkpoints, seals, proofs, and the evidence that stops them."""

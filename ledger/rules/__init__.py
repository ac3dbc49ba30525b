"""Decision procedures: CEL rules, their vocabulary, boundaries and explanations; pure."""

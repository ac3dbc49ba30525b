"""Tables and answers for auditors and compliance, folded from events and nothing else."""

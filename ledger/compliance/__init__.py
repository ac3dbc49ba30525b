"""What auditors and compliance ask for: tables and answers, folded from events and nothing else."""

"""Budgets: set by people, asked for the money of jobs."""

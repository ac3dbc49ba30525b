"""Evaluation: when a model is due, its score and outcome, and how they are recorded."""

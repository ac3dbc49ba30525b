"""Governance at work: what decisions ask of people, answered by them, and what time brings."""

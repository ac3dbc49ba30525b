"""Policies: their text read, checked and written, their versions, and what they mean."""

"""Submission of observations from what people and programs write: read, sent, accounted for."""

"""Decisions asked for, explained, listed and replayed."""

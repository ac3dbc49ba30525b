"""Exports: what is asked for, written as a job, and kept for download."""

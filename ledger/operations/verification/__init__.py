"""Verification of whatever a person was given: a log, a bundle, a receipt or a proof.

`thing.py` finds out what it is; each kind has a module that verifies it and says what it shows.
"""

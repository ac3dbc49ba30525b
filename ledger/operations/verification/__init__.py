"""Verification of a log, a bundle, a receipt or a proof.

`target.py` finds out what it is; `log.py` verifies a whole log, `files.py` what was handed over.
"""

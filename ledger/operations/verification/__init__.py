"""Verification of a log, a bundle, a receipt or a proof, each with the same kind of verdict.

`target.py` finds out what it is; `log.py` verifies a whole log, `files.py` what was handed over;
`verdict.py` raises a verdict that is bad.
"""

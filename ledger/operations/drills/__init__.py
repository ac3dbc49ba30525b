"""Drills that are built in: attacks on a copy of a ledger, and what the product notices of each.

Whether an attack is detected is for the product's own checks to say: the start of a server, an
audit, a refused append, a limit. A drill knows its attack and no more.
"""

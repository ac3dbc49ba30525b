"""Governance, pure: what decisions ask of people, folded from events and judged by them.

The service asks before it appends, and the auditor asks again.
"""

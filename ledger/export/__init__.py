"""Bundles that verify without the service: writing, verifying, receipts. README.md tells how."""

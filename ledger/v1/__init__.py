"""Stubs generated from `proto/ledger/v1` by `tools/dev.py proto`; do not edit."""

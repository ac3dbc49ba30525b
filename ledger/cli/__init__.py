"""The command line, `decision-ledger`: one module for each noun, and what they share."""

from ledger.api import grpc_environment

__all__ = ["grpc_environment"]  # before any command loads gRPC

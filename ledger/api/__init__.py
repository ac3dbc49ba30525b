"""The gRPC face of the ledger: front, servicers, conversion and paging. No domain rules."""

from ledger.api import grpc_environment

__all__ = ["grpc_environment"]  # before anything of this package loads gRPC

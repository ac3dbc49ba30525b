"""The gRPC face of the ledger: front, servicers, conversion and paging. No domain rules."""

"""The gRPC face of the ledger: servicers, interceptors, conversion and paging. No domain rules."""

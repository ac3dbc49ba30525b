"""The authority of one ledger: `authority` follows and answers, `changes` records."""

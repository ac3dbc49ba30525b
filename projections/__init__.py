"""Read models folded from the ledger's events: disposable, comparable, rebuilt at any time."""

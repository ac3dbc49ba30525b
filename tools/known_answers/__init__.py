"""Makes known answers of our own for formats that other projects define too.

It shares no code with the product: hashlib, the `cryptography` package and the specifications, of
which ours are in `ledger/docs/spec/`.
"""

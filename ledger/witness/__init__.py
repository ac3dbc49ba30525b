"""A witness for any C2SP log: cosigns what is consistent, and remembers what it cosigned."""

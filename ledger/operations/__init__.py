"""What the command line does, as functions of Python: verify, publish, fetch, examine.

An operation takes paths, a client or a database, and returns a result; what it writes is what it is
asked for. Where it cannot, it raises MisuseError or IntegrityFailure, or what the client raises.
"""

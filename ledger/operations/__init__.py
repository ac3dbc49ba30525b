"""The command line's work as functions of Python: verify, audit, publish, fetch, examine.

An operation takes paths, a client or a database, and returns a result; what it writes is what it is
asked for. Where it cannot, it raises MisuseError or IntegrityFailure, or what the client raises.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from ledger import __version__

PROGRAM: Final = f"decision-ledger {__version__}"
"""The program that looked, as verdicts and audits on record name it."""

Move: TypeAlias = Callable[[int, int], None]
"""How an operation that takes long says how far it has come: told how much is done, of how much."""

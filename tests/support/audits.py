"""What an audit finds wrong with a database itself, whatever its events say.

For tests whose events are made up: the rules about what events say would object to those.
"""

from ledger.audit.audit import MEANINGS, Audit
from ledger.audit.database import DatabaseSource
from ledger.audit.source import Finding

ABOUT_BODIES = {"bodies.present", "erasures"}


def damage(url: str, origin: str = "") -> list[Finding]:
    """Return what does not hold of hashes, signatures, tables and erasures; by position."""
    source = DatabaseSource(url, origin)
    try:
        report = Audit(source, "test", cores=1).run()
    finally:
        source.close()
    return [one for one in report.findings if one.rule in MEANINGS.keys() | ABOUT_BODIES]

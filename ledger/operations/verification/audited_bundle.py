"""The files of a bundle that is audited, held to what `verify` holds them to.

So the two commands judge a bundle alike. Its signatures are checked under the keys that its events
name: which keys to trust, the audit judges itself.
"""

from collections.abc import Sequence
from pathlib import Path

from ledger.audit.bundle import BUNDLE_FILES
from ledger.audit.report import unsigned_sentences
from ledger.audit.source import SourceReport
from ledger.chain.keys import VerifierKey
from ledger.export.files import BundleError, open_bundle
from ledger.export.verify import verify_opened
from ledger.operations.verification.bundle_report import with_report


def files_of(path: Path, keys: Sequence[VerifierKey]) -> SourceReport:
    """Return what does not hold about a bundle, and what no signature of it covers."""
    looked = SourceReport()
    if not keys:
        looked.remarks.append(
            "Its files were not verified: no key of the ledger counts at its end."
        )
        return looked
    try:
        bundle = open_bundle(path)
        found = with_report(bundle, verify_opened(bundle, keys))
    except BundleError as error:
        looked.fail(BUNDLE_FILES, 0, str(error))
        return looked
    looked.remarks += unsigned_sentences(found.report_verdict, found.unsigned)
    return looked

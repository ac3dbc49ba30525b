"""The parts of a bundle that people read, made again from the bundle and compared byte by byte.

No signature covers `report.html` and `bag-info.txt`, and people read them first. The same program
makes the same bytes, so what differs was repainted. Where another program wrote it, it is not
compared, and that is said: a reader then trusts the events, not the page.
"""

from dataclasses import replace
from typing import Final

from ledger.authority.believed import BelievedCallers
from ledger.export.bag import INFO_FILE, PAYLOAD, bag_info, version_of
from ledger.export.callers import callers_in_words, stated_fault
from ledger.export.files import REPORT, VERIFIER, Bundle, BundleError
from ledger.export.standalone import verifier_source
from ledger.export.verify import INFO, VerifiedBundle

AGENT: Final = f"{INFO_FILE}: the version in Bag-Software-Agent"
SAME: Final = "rendered again from the events, and the same"
_HEAD_BYTES: Final = 1 << 20


def with_report(bundle: Bundle, found: VerifiedBundle) -> VerifiedBundle:
    """Return a verified bundle with what is known of its report, `bag-info.txt` and verifier.

    BundleError names the first line of either that is not what the bundle says.
    """
    verdict, stated, callers = _compared(bundle, found)
    names = list(found.unsigned)
    at = names.index(REPORT)
    names[at : at + 1] = [f"{REPORT}: {one}" for one in stated]
    if _holds(bundle, VERIFIER, verifier_source()):
        names.remove(VERIFIER)
    if _is_bag_info_ours(bundle, found):
        names = [AGENT if name == INFO else name for name in names]
    said = callers_in_words(found.scope, found.subject.facts, callers)
    return replace(found, unsigned=tuple(names), report_verdict=verdict, callers=tuple(said))


def _is_bag_info_ours(bundle: Bundle, found: VerifiedBundle) -> bool:
    """Return whether this program wrote `bag-info.txt`, which is then what it writes.

    Every version writes the same, but for its own number.
    """
    written = _beginning(bundle, INFO_FILE, _HEAD_BYTES)
    version = version_of(written)
    if version is None:
        return False
    payload = [size for name, size in bundle.sizes.items() if name.startswith(PAYLOAD)]
    expected = bag_info(
        origin=found.origin,
        requested_at=found.scope.requested_at,
        payload_bytes=sum(payload),
        payload_files=len(payload),
        version=version,
    )
    if not _holds(bundle, INFO_FILE, expected):
        line = _first_difference(written, expected)
        raise BundleError(INFO_FILE, line, "it is not what the program writes that it names")
    return True


def _compared(
    bundle: Bundle, found: VerifiedBundle
) -> tuple[str, list[str], BelievedCallers | None]:
    """Return how the report compares, what of it is not signed, and what it states of callers."""
    try:
        from ledger.application.exports.report import report_of
        from ledger.export.report import program, stated_in

        ours = program()
    except ModuleNotFoundError:  # a client without the server's extra renders nothing
        return _unread("this installation renders none: it lacks decision-ledger[server]")
    told = stated_in(_beginning(bundle, REPORT, _HEAD_BYTES))
    if told is None:
        return _unread("it does not say which program wrote it")
    theirs, stated = told
    if theirs != ours:
        return _unread(f"another program wrote it, as it says: {theirs[:100]}")
    if fault := stated_fault(found.scope, found.subject.facts, stated.callers):
        raise BundleError(REPORT, 0, fault)
    expected = "".join(report_of(found.subject, stated)).encode()
    if _holds(bundle, REPORT, expected):
        names = ["the purpose"] * bool(stated.purpose)
        names += ["the outcome of each replay"] * bool(stated.replays)
        names += ["up to where callers were believed"] * (stated.callers is not None)
        return SAME, names, stated.callers
    raise BundleError(
        REPORT,
        _first_difference(_beginning(bundle, REPORT, len(expected) + 1), expected),
        "it is not the report of these events: it was changed after it was written",
    )


def _holds(bundle: Bundle, name: str, expected: bytes) -> bool:
    """Return whether a file has just this content; no more of it is read."""
    size = len(expected)
    return bundle.sizes[name] == size and _beginning(bundle, name, size) == expected


def _beginning(bundle: Bundle, name: str, size: int) -> bytes:
    with bundle.open(name) as file:
        return file.read(size)


def _unread(why: str) -> tuple[str, list[str], None]:
    return f"not compared: {why}", [f"all of it, not compared: {why}"], None


def _first_difference(found: bytes, expected: bytes) -> int:
    """Return the number of the first line that differs."""
    lines = expected.split(b"\n")
    for number, line in enumerate(found.split(b"\n"), 1):
        if number > len(lines) or lines[number - 1] != line:
            return number
    return len(lines)

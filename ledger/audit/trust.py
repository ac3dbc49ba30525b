"""Trust in the hashes: keys over time, every kept checkpoint, witnesses.

A key that the ledger itself names proves nothing to a stranger. The audit begins with keys pinned
elsewhere, and trusts a further key only where a checkpoint by a trusted one covers the event that
commits to it: only the trusted key's holder can have chosen it then.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ledger.audit.source import Finding, LedgerSource
from ledger.audit.transcript import RowDigest
from ledger.audit.verified_prefix import VerifiedPrefix
from ledger.audit.witnessed_times import WitnessedSize, witnessed_size
from ledger.chain.checkpoint import OpenedCheckpoint
from ledger.chain.key_history import KeyHistory, KeyHistoryError, KeySpan, open_by_spans
from ledger.chain.keys import VerifierKey
from ledger.chain.note import NoteError, UnverifiedNoteError
from ledger.chain.policy import WitnessPolicy
from ledger.database_url import shown
from ledger.events.canonical import CanonicalError, decode
from ledger.events.keys import KeyCommitted, KeyRotated
from ledger.events.system import COMMITTING, LedgerCreated

_KEPT_FOR_QUORUM: Final = 1_000
"""How many of the newest checkpoints are looked at for one that the witnesses have cosigned."""

_NONE: Final = "No checkpoint was signed, so nothing vouches for the whole."
_NO_NEWER: Final = "No checkpoint is kept that is as new as the one of the audit before."
_NOT_VERIFIED: Final = (
    "No checkpoint was verified: each one that is kept covers events that do not hold."
)


@dataclass(slots=True)
class SignatureReport:
    """The findings about signatures."""

    checked: dict[str, int] = field(default_factory=dict)
    unchecked: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """The limits of trust that a reader must know."""
    size: int = 0
    """The newest genuine checkpoint by a trusted key, and its note; 0 without one."""
    note: str = ""
    offered: str = ""
    """The newest note with a genuine signature, whether or not the events have its root."""
    vkeys: tuple[str, ...] = ()
    """The trusted keys."""
    signed_by: tuple[str, ...] = ()
    """Those of them that signed that checkpoint."""
    witnesses: tuple[str, ...] = ()
    cosigned_at: tuple[str, ...] = ()
    """When each of the witnesses says that it cosigned, in UTC."""
    witnessed_size: int = 0
    witnessed: list[WitnessedSize] = field(default_factory=list)
    """Every checkpoint that the policy's quorum has cosigned, and by when."""
    missing: int = 0
    """The size of the newest checkpoint that covers more events than there are."""
    read: str = RowDigest().hexdigest()
    """The digest of all checkpoints that were read, with their cosignatures."""
    disagreeing: int = 0
    """How many checkpoints have another root than the events; the first is named."""

    def not_vouch(self, why: str) -> None:
        """Note why no checkpoint was looked at."""
        self.remarks.append(why)
        self.unchecked["checkpoints"] = 1


def verdict_of(
    source: LedgerSource,
    place: str,
    joined: VerifiedPrefix,
    vouched: SignatureReport,
    findings: Sequence[Finding],
) -> dict[str, Any]:
    """Return the members of a `Report` that say of which log it is, up to where, and by whom."""
    return {
        "thing": source.kind,
        "place": shown(place),
        "origin": source.origin,
        "passed": not findings,
        "first_position": min(1, joined.position),
        "last_position": joined.position,
        "events": joined.position,
        "size": joined.position,
        "root": joined.root.hex(),
        "head": joined.head.hex(),
        "first_bad_position": min((one.position for one in findings if one.position), default=0),
        "checkpoint_size": vouched.size,
        "checkpoint": vouched.note,
        "signed_by": vouched.signed_by,
        "vkeys": vouched.vkeys,
        "witnesses": vouched.witnesses,
        "cosigned_at": vouched.cosigned_at,
        "witnessed_size": vouched.witnessed_size,
        "findings": tuple(findings),
    }


def key_history(joined: VerifiedPrefix) -> tuple[KeyHistory, list[Finding], int]:
    """Return the history of a ledger's keys, what is wrong with it, and how many events count."""
    history, findings, checked = KeyHistory(), [], 0
    for position, type_, body in joined.notable:
        if not type_.startswith(("ledger.", "key.")):
            continue
        checked += 1
        try:
            data = decode(body)["data"] if body is not None else None
            if isinstance(data, dict):
                history.apply(type_, position, data)
            elif type_.startswith("key.") or type_ in COMMITTING:
                findings.append(Finding("keys", position, f"the body of {type_} is not there"))
        except KeyHistoryError as error:
            findings.append(Finding("keys", error.position, error.why))
        except (CanonicalError, KeyError, TypeError):
            continue  # the strict reading of its body says so
    return history, findings, checked


def vouch(
    source: LedgerSource,
    joined: VerifiedPrefix,
    pinned: Sequence[str],
    policy: WitnessPolicy | None,
    *,
    after: int = 0,
    until: int | None = None,
) -> SignatureReport:
    """Verify every kept checkpoint against the events, and who signed it.

    Only those larger than `after`, and not above `until` where the events beyond do not hold.
    """
    found = SignatureReport()
    spans: list[KeySpan] = []
    if source.has_bodies:
        history, findings, found.checked["keys"] = key_history(joined)
        found.findings += findings
        spans = list(history.spans)
    spans, trusted = _begin(source, spans, pinned, policy, found)
    found.vkeys = tuple(sorted(trusted))
    if not spans:
        return found
    by_key: dict[str, int] = {}
    newest: deque[tuple[int, str, OpenedCheckpoint]] = deque(maxlen=_KEPT_FOR_QUORUM)
    count, covers_more, read = 0, False, RowDigest()
    for size, note in source.notes(after):
        if until is not None and size > until:
            covers_more = True
            break
        count += 1
        read.update([_as_read(size, note)])
        opened = _open(source, joined, size, note, spans, found)
        if opened is not None:
            for vkey in _signers(opened, spans, size):
                by_key[vkey] = max(by_key.get(vkey, 0), size)
            newest.append((size, note, opened))
            if policy is not None:
                _note_times(policy, size, opened, found)
    found.checked["checkpoints"], found.read = count, read.hexdigest()
    if found.missing:
        what = f"a checkpoint covers {found.missing} events, and the ledger ends before"
        missing = Finding("truncation", joined.position + 1, what, "an event", "none")
        found.findings.append(missing)
    if found.disagreeing > 1:
        found.remarks.append(f"{found.disagreeing - 1} more checkpoints have another root too.")
    if not count:
        found.not_vouch(_NOT_VERIFIED if covers_more else _NO_NEWER if after else _NONE)
        return found
    found.vkeys = _reached(spans, trusted, by_key, _commitments(joined))
    _judge_newest(newest, spans, found)
    if policy is not None and (policy.witnesses or policy.quorum):
        _judge_witnesses(newest, policy, found)
    return found


def _as_read(size: int, note: str) -> tuple[object, ...]:
    """Return a checkpoint with its signatures in order of their text: sources order them apart."""
    text, _, lines = note.partition("\n\n")
    return size, text, *sorted(lines.splitlines())


def _begin(
    source: LedgerSource,
    spans: list[KeySpan],
    pinned: Sequence[str],
    policy: WitnessPolicy | None,
    found: SignatureReport,
) -> tuple[list[KeySpan], set[str]]:
    """Return the keys that there are, and those to trust from the start."""
    stated = list(pinned)
    if policy is not None:
        stated += [str(log.key) for log in policy.logs if log.key.name == source.origin]
    if not source.has_bodies:  # the events that name keys cannot be read
        if not stated:
            found.not_vouch("No key was given, so no signature could be verified: --vkey.")
        return [KeySpan(vkey, 1) for vkey in stated], set(stated)
    if not spans:
        found.not_vouch("The ledger names no key, so no signature could be verified.")
        return [], set()
    if not stated:
        first = spans[0].vkey
        found.remarks.append(
            f"Trusted on first use: the key came from the ledger itself, {first}. Compare it with "
            "one obtained elsewhere."
        )
        return spans, {first}
    known = {span.vkey for span in spans} & set(stated)
    if not known:
        what = "the ledger has none of the keys that were given"
        found.findings.append(Finding("keys", 1, what, " or ".join(stated), spans[0].vkey))
    return spans, known


def _open(
    source: LedgerSource,
    joined: VerifiedPrefix,
    size: int,
    note: str,
    spans: Sequence[KeySpan],
    found: SignatureReport,
) -> OpenedCheckpoint | None:
    """Return a checkpoint whose signatures and root hold; what does not is noted."""
    rule = "checkpoints"
    try:
        opened = open_by_spans(note.encode(), origin=source.origin, spans=spans)
    except UnverifiedNoteError as error:
        revoked = _by_revoked(source.origin, note, spans)
        if revoked is None:
            found.findings.append(Finding(rule, size, f"the checkpoint does not verify: {error}"))
            return None
        opened = revoked
        found.unchecked[rule] = found.unchecked.get(rule, 0) + 1
    except (NoteError, UnicodeEncodeError) as error:
        found.findings.append(Finding(rule, size, f"the checkpoint does not verify: {error}"))
        return None
    checkpoint = opened.checkpoint
    found.offered = note
    if checkpoint.size != size:
        what = "a checkpoint is kept under another size"
        found.findings.append(Finding(rule, size, what, str(size), str(checkpoint.size)))
        return None
    if checkpoint.extensions:
        what = "a checkpoint states more than its ledger's origin, size and root"
        found.findings.append(Finding(rule, size, what, "", ", ".join(checkpoint.extensions)[:300]))
        return None
    if size > joined.position:
        found.missing = size
        return None
    root = joined.roots.get(size)
    if root != checkpoint.root:
        before = found.size
        what = f"events {before + 1} to {size} are not those that were signed"
        shown = "nothing" if root is None else root.hex()
        if not found.disagreeing:
            found.findings.append(Finding(rule, before + 1, what, checkpoint.root.hex(), shown))
        found.disagreeing += 1
        return None
    found.size = size
    return opened


def _by_revoked(origin: str, note: str, spans: Sequence[KeySpan]) -> OpenedCheckpoint | None:
    """Return a checkpoint by a key that has been revoked since: genuine once, worth nothing now."""
    before = [replace(span, revoked_from=None) for span in spans if span.revoked_from is not None]
    try:
        return open_by_spans(note.encode(), origin=origin, spans=before)
    except NoteError:
        return None


def _signers(opened: OpenedCheckpoint, spans: Sequence[KeySpan], size: int) -> list[str]:
    """Return the keys whose signatures on a checkpoint of this size were verified and count."""
    verified = {(line.name, line.key_id) for line in opened.note.verified}
    keys = {span.vkey: VerifierKey.parse(span.vkey) for span in spans if span.covers(size)}
    return [vkey for vkey, key in keys.items() if (key.name, key.key_id) in verified]


def _commitments(joined: VerifiedPrefix) -> dict[str, int]:
    """Return where each key was committed to, the first one where it is named."""
    found: dict[str, int] = {}
    committed_at = 0
    for position, type_, body in joined.notable:
        if type_ in {*COMMITTING, KeyCommitted.TYPE}:
            committed_at = position
        elif type_ in {LedgerCreated.TYPE, KeyRotated.TYPE} and body is not None:
            try:
                vkey = str(decode(body)["data"]["vkey"])
            except (CanonicalError, KeyError, TypeError):
                continue
            found.setdefault(vkey, committed_at or position)
    return found


def _reached(
    spans: Sequence[KeySpan],
    trusted: set[str],
    by_key: dict[str, int],
    commitments: dict[str, int],
) -> tuple[str, ...]:
    """Return every key that a checkpoint by a trusted key, and so on, leads to."""
    reached = set(trusted)
    while True:
        covered = max((by_key.get(vkey, 0) for vkey in reached), default=0)
        known = {span.vkey for span in spans if commitments.get(span.vkey, 1) <= covered}
        more = known - reached
        if not more:
            return tuple(span.vkey for span in spans if span.vkey in reached)
        reached |= more


def _judge_newest(
    newest: Sequence[tuple[int, str, OpenedCheckpoint]],
    spans: Sequence[KeySpan],
    found: SignatureReport,
) -> None:
    """Find the newest checkpoint by a trusted key; the newest of all must be one."""
    found.size = 0
    for size, note, opened in reversed(newest):
        signers = _signers(opened, spans, size)
        if trusted := tuple(vkey for vkey in signers if vkey in found.vkeys):
            found.size, found.note, found.signed_by = size, note, trusted
            return
        if found.vkeys:
            what = "no trusted key, nor one that a trusted key leads to, signed the checkpoint"
            shown = " and ".join(signers) or "a revoked key"
            found.findings.append(Finding("keys", size, what, "a trusted key", shown))


def _note_times(
    policy: WitnessPolicy, size: int, opened: OpenedCheckpoint, found: SignatureReport
) -> None:
    """Note by when the witnesses had cosigned a checkpoint, if they have."""
    try:
        one = witnessed_size(policy, size, opened.note)
    except ValueError as error:
        found.findings.append(Finding("witnesses", size, str(error)))
        return
    if one is not None:
        found.witnessed.append(one)


def _judge_witnesses(
    newest: Sequence[tuple[int, str, OpenedCheckpoint]],
    policy: WitnessPolicy,
    found: SignatureReport,
) -> None:
    """Find the newest checkpoint that the policy's witnesses have cosigned in number."""
    found.checked["witnesses"] = 1
    why = "no checkpoint was kept"
    for size, note, _ in reversed(newest):
        try:
            verdict = policy.check(note.encode())
        except NoteError as error:
            why = str(error) if size == newest[-1][0] else why
            continue
        found.witnesses, found.witnessed_size = verdict.witnesses, size
        found.cosigned_at = tuple(one.at for one in verdict.cosigned)
        if size < newest[-1][0]:
            found.remarks.append(
                f"The witnesses have cosigned the first {size} events; the newest checkpoint "
                f"covers {newest[-1][0]}."
            )
        return
    at = newest[-1][0] if newest else 0
    found.findings.append(Finding("witnesses", at, f"the policy is not met: {why}"))

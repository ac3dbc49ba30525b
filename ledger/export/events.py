"""The events of a bundle, line by line: form, hashes, links, proofs, seals, and what is missing."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.link import GENESIS, ChainVerifier, Digest, Link
from ledger.chain.merkle import CompactRange, ProofError, check_inclusion
from ledger.errors import LedgerError, Reason
from ledger.events.proving import StreamsSealed
from ledger.events.system import LedgerCreated
from ledger.export.data import read_data
from ledger.export.facts import ReportFacts
from ledger.export.files import EVENTS, LINE_BYTES_MAX, PROOFS, SCOPE, Bundle, BundleError
from ledger.export.keys import BundleKeys
from ledger.export.lines import LineError, parse_line
from ledger.export.missing_bodies import MissingBodies, MissingBodyTally
from ledger.export.scope import BundleScope
from ledger.export.sealing import SealError, SealStatement, Streams, check_late, seal_of

_STEP: Final = 1_000  # events between two words about progress

_PROOF: Final = re.compile(
    rb'\{"inclusion":\[((?:"[0-9a-f]{64}"(?:,"[0-9a-f]{64}")*)?)\],"position":([1-9][0-9]{0,15})\}\n'
)


@dataclass(frozen=True, slots=True)
class CheckedEvents:
    """The events of a bundle, found whole. `digests` are those of the files that were read."""

    events: int
    missing: MissingBodies
    digests: dict[str, str]


class _Lines:
    """The lines of a file, counted and hashed on the way."""

    def __init__(self, bundle: Bundle, name: str) -> None:
        self._bundle = bundle
        self._name = name
        self._digest = hashlib.sha256()
        self.number = 0

    def __iter__(self) -> Iterator[bytes]:
        with self._bundle.open(self._name) as file:
            while line := file.readline(LINE_BYTES_MAX[self._name]):
                self.number += 1
                self._digest.update(line)
                yield line

    def hexdigest(self) -> str:
        """Return the digest of all that was read."""
        return self._digest.hexdigest()


class EventChecks:
    """Checks the events of one bundle against its scope and its checkpoint."""

    def __init__(
        self,
        bundle: Bundle,
        scope: BundleScope,
        checkpoint: CheckpointBody,
        keys: BundleKeys,
        advance: Callable[[int, int], None] | None = None,
    ) -> None:
        self.facts = ReportFacts()
        """The facts that the report of the bundle tells, once all events are checked."""
        self._bundle = bundle
        self._scope = scope
        self._checkpoint = checkpoint
        self._keys = keys
        self._advance = advance
        self._gaps = MissingBodyTally(scope)
        self._verifier: ChainVerifier | None = None
        self._last: Link | None = None

    @property
    def last(self) -> Link:
        """The last event, once all are checked."""
        assert self._last is not None
        return self._last

    def run(self) -> CheckedEvents:
        """Check everything; BundleError names the first line that does not hold."""
        digests = self._whole() if self._scope.kind == "full" else self._part()
        self._keys.check_events()
        missing = self._gaps.done()
        scope, last = self._scope, self._last
        if last is None:
            raise BundleError(EVENTS, 0, "there is no event")
        if last.position != scope.last_position:
            raise BundleError(
                SCOPE, 0, f"the last position is {last.position}, not {scope.last_position}"
            )
        counts = self.facts.counts
        if counts != scope.counts:
            types = sorted({*counts, *scope.counts})
            wrong = next(one for one in types if counts[one] != scope.counts.get(one, 0))
            why = f"it counts {scope.counts.get(wrong, 0)} of {wrong}; {counts[wrong]} are"
            raise BundleError(SCOPE, 0, f"{why} there")
        return CheckedEvents(counts.total(), missing, digests)

    def _whole(self) -> dict[str, str]:
        """Check a full bundle: the chain, every seal, the keys, and the root of the tree."""
        tree, streams, stated = CompactRange(), Streams(), self._checkpoint
        late: list[SealStatement] = []
        lines = _Lines(self._bundle, EVENTS)
        try:
            for line in lines:
                link, seal = self._link(line, lines.number)
                tree.append(link.event_hash)
                if seal is not None and streams.reaches(seal.as_of):
                    streams.check(seal)
                elif seal is not None:
                    late.append(seal)
                streams.take(link)
                if tree.size > stated.size:
                    break
            digest = lines.hexdigest()
            if late:
                check_late(late, self._again())
        except SealError as error:  # a full bundle has each position on its line
            raise BundleError(EVENTS, error.position, str(error)) from error
        if tree.size != stated.size:
            why = f"the checkpoint is of {stated.size} events; there are {tree.size}"
            raise BundleError(EVENTS, lines.number, why)
        if tree.root() != stated.root:
            raise BundleError(EVENTS, 0, "the events do not have the root that was signed")
        return {EVENTS: digest}

    def _again(self) -> Iterator[Link]:
        """Yield the events of a bundle that was read once and found whole."""
        origin = self._checkpoint.origin
        return (parse_line(line, origin) for line in _Lines(self._bundle, EVENTS))

    def _part(self) -> dict[str, str]:
        """Check a partial bundle: every event with its inclusion proof, and a stream's seal."""
        events, proofs = _Lines(self._bundle, EVENTS), _Lines(self._bundle, PROOFS)
        proof_lines = iter(proofs)
        for line in events:
            link, _ = self._link(line, events.number)
            proof_line = next(proof_lines, None)
            if proof_line is None:
                raise BundleError(PROOFS, proofs.number, f"position {link.position} has no proof")
            _check_proof(link, proof_line, proofs.number, self._checkpoint)
        if next(proof_lines, None) is not None:
            raise BundleError(PROOFS, proofs.number, "it proves more than the events that are here")
        return {EVENTS: events.hexdigest(), PROOFS: proofs.hexdigest()}

    def _link(self, line: bytes, number: int) -> tuple[Link, SealStatement | None]:
        """Return the event in a line, checked against those before it, and the seal that it is."""
        try:
            link = parse_line(line, self._checkpoint.origin)
            self._chained(link)
            data = read_data(link)
            seal = None
            if link.type == StreamsSealed.TYPE and data is not None:
                seal = seal_of(link.position, data)
        except LedgerError as error:
            if error.reason is not Reason.CHAIN_BROKEN:
                raise
            raise BundleError(EVENTS, number, error.metadata["why"]) from error
        except (LineError, SealError) as error:
            raise BundleError(EVENTS, number, str(error)) from error
        self.facts.take(link, has_body=link.body is not None)
        self._gaps.take(link, data, number)
        if data is not None:
            self._keys.take(link, data, number)
        self._last = link
        if self._advance is not None and number % _STEP == 0:
            self._advance(number, sum(self._scope.counts.values()))
        return link, seal

    def _chained(self, link: Link) -> None:
        """Have the chain judge an event; CHAIN_BROKEN or LineError where it does not hold."""
        verifier, last, first = self._verifier, self._last, self._scope.first_position
        if last is None and link.position != first:
            raise LineError(f"the first position is {first}, says {SCOPE}")
        if link.position == 1 and link.type != LedgerCreated.TYPE:
            raise LineError(f"a ledger begins with {LedgerCreated.TYPE}")
        if self._scope.kind == "stream":
            if link.stream != self._scope.stream:
                raise LineError(f"its stream is {link.stream}")
            if last is not None and link.position <= last.position:
                raise LineError("it does not come after the event before it")
            follows = last is not None and link.position == last.position + 1
            before = Digest(last.event_hash) if last and follows else _head_before(link)
            verifier = ChainVerifier(
                origin=self._checkpoint.origin,
                head=before,
                start_position=link.position,
                versions={link.stream: last.stream_version} if last else {},
                recorded_at=last.recorded_at if last else "",
            )
        elif verifier is None:
            verifier = ChainVerifier(
                origin=self._checkpoint.origin,
                head=_head_before(link),
                start_position=link.position,
            )
            self._verifier = verifier
        verifier.feed(link)


def _head_before(link: Link) -> Digest:
    """Return what the event before had as its hash: as stated, nothing before the first."""
    return GENESIS if link.position == 1 else Digest(link.prev_hash)


def _check_proof(link: Link, line: bytes, number: int, stated: CheckpointBody) -> None:
    match = _PROOF.fullmatch(line)
    if match is None:
        raise BundleError(PROOFS, number, "it is not the canonical JSON of a proof and a newline")
    if int(match[2]) != link.position:
        raise BundleError(PROOFS, number, f"it is of another position than {link.position}")
    hashes = [bytes.fromhex(one.decode()) for one in match[1].replace(b'"', b"").split(b",") if one]
    try:
        check_inclusion(
            index=link.position - 1,
            size=stated.size,
            leaf=link.event_hash,
            root=stated.root,
            proof=hashes,
        )
    except ProofError as error:
        raise BundleError(PROOFS, number, str(error)) from error

"""One audit from beginning to end: hashes, signatures, what was seen before, and every rule."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from ledger.audit.hashing import hash_pass
from ledger.audit.registry import all_meanings
from ledger.audit.report import Report, RuleCount, UncheckedCount
from ledger.audit.rule_pass import RulePassResult, rule_pass
from ledger.audit.second_reading import RULE as PASSES
from ledger.audit.second_reading import FirstReading, SecondReading
from ledger.audit.segment import SEGMENT
from ledger.audit.source import Finding, HashPassResult, LedgerSource
from ledger.audit.state_file import AuditStateFile, EarlierAudit
from ledger.audit.transcript import AuditRecord, Transcript, transcript_of
from ledger.audit.trust import SignatureReport, key_history, verdict_of, vouch
from ledger.audit.verified_prefix import VerifiedPrefix
from ledger.audit.witnessed_times import RULE as TIMES
from ledger.audit.witnessed_times import WitnessedTimes
from ledger.chain.heads import Relation, TreeHead, compare
from ledger.chain.policy import WitnessPolicy
from ledger.events.registry import BY_TYPE, is_newer

_NOTE_EVERY: Final = 8 * SEGMENT  # events between two notes of how far the hashes are checked

Tell = Callable[[str, int, int], None]
"""Told which pass is under way, and how many events are done of how many."""


@dataclass(slots=True)
class Audit:
    """An audit of one source. `vkeys` and `policy` come from elsewhere than the ledger."""

    source: LedgerSource
    program: str
    vkeys: Sequence[str] = ()
    policy: WitnessPolicy | None = None
    memory: AuditStateFile | None = None
    place: str = ""
    """Names the source in the memory, so that an interrupted audit goes on only with its own."""
    is_quick: bool = False
    max_unseen_seconds: int | None = None
    """How long an event may have been there before a witness that had not seen it; None for any."""
    cores: int = 0
    tell: Tell | None = None
    _findings: list[Finding] = field(default_factory=list, init=False)
    _checked: Counter[str] = field(default_factory=Counter, init=False)
    _remarks: list[str] = field(default_factory=list, init=False)
    _evidence: list[str] = field(default_factory=list, init=False)
    _read: dict[str, str] = field(default_factory=dict, init=False)

    def run(self) -> Report:
        """Audit, remember the ledger if it holds, and return what was found."""
        source, memory = self.source, self.memory
        remembered = memory.recall(source.origin) if memory is not None else None
        joined = self._start(remembered)
        began = joined.position
        with closing(FirstReading(joined)) as first:
            sizes = () if remembered is None else (remembered.size,)
            found = self._hash(joined, sizes, first)
            self._findings += found
            is_whole = not any(finding.rule == "chain" for finding in found)
            self._checked["chain"] = joined.position - began
            self._checked["tiles"] = joined.tiles_checked
            vouched = self._vouch(joined, remembered, is_whole=is_whole)
            if remembered is not None:
                self._compare(joined, remembered, vouched)
            ruled = self._rule(joined, first, vouched, is_whole=is_whole)
        report = self._report(joined, vouched, ruled)
        if memory is not None:
            self._remember(memory, joined, vouched, report)
        return report

    def _hash(
        self, joined: VerifiedPrefix, extra: Sequence[int], first: FirstReading
    ) -> list[Finding]:
        """Check the hashes; an interrupted check keeps what was done."""

        def note(joined: VerifiedPrefix, leaves: bytes) -> None:
            first.take(leaves)
            self._note(joined)

        try:
            return hash_pass(
                self.source,
                joined,
                cores=self.cores,
                extra=extra,
                progress=self._progress("hashes"),
                on_joined=note,
            )
        except KeyboardInterrupt:
            if self.memory is not None and not self.is_quick and joined.position:
                self.memory.note(self.source.origin, self.place, joined)
            raise

    def _rule(
        self,
        joined: VerifiedPrefix,
        first: FirstReading,
        vouched: SignatureReport,
        *,
        is_whole: bool,
    ) -> RulePassResult:
        """Apply the rules, if there is something to apply them to, and look at what is beside."""
        if self.is_quick:
            self._remarks.append("Quick: no rule but the hashes', and only what is new.")
        elif not is_whole:
            self._remarks.append("The rules were not applied, since the hashes do not hold.")
        elif not self.source.has_bodies:
            self._remarks.append("Headers only: what bodies say was not checked.")
        else:
            again = SecondReading(self.source, first)
            times = WitnessedTimes(vouched.witnessed, self.max_unseen_seconds)
            ruled = rule_pass(again, joined, self._progress("rules"), times)
            self._checked[PASSES] = joined.position
            self._findings += [*ruled.findings, *ruled.times.findings]
            self._checked[TIMES] = ruled.times.checked
            self._remarks += ruled.remarks
            self._look(joined)
            return ruled
        return RulePassResult()

    def _start(self, remembered: EarlierAudit | None) -> VerifiedPrefix:
        """Return what need not be hashed again."""
        if self.memory is not None and not self.is_quick:
            resumed = self.memory.resume(self.source.origin, self.place)
            if resumed is not None and resumed.position <= self.source.size:
                again = (
                    "hashed again only by the rules"
                    if self.source.has_bodies
                    else "not hashed again"
                )
                self._remarks.append(
                    f"Went on after position {resumed.position}, where an audit was interrupted: "
                    f"what was recorded up to there was {again}, and its tiles not compared again."
                )
                return resumed
        if self.is_quick and remembered is not None and remembered.size <= self.source.size:
            return remembered.joined
        return VerifiedPrefix()

    def _progress(self, what: str) -> Callable[[int, int], None] | None:
        tell = self.tell
        return None if tell is None else lambda done, total: tell(what, done, total)

    def _note(self, joined: VerifiedPrefix) -> None:
        """Remember how far the hashes are checked, now and then."""
        if self.memory is not None and not self.is_quick and joined.position % _NOTE_EVERY == 0:
            self.memory.note(self.source.origin, self.place, joined)

    def _vouch(
        self, joined: VerifiedPrefix, remembered: EarlierAudit | None, *, is_whole: bool
    ) -> SignatureReport:
        pinned = tuple(self.vkeys)
        if not pinned and remembered is not None:
            pinned = remembered.vkeys
        after = 0
        if self.is_quick and remembered is not None and joined.position >= remembered.size:
            after = max(remembered.checkpoint_size - 1, 0)
            joined.roots[remembered.size] = remembered.root
        until = None if is_whole else joined.position
        vouched = vouch(self.source, joined, pinned, self.policy, after=after, until=until)
        self._findings += vouched.findings
        self._remarks += vouched.remarks
        self._checked.update(vouched.checked)
        self._checked["truncation"] = 1
        return vouched

    def _compare(
        self, joined: VerifiedPrefix, remembered: EarlierAudit, vouched: SignatureReport
    ) -> None:
        """Compare the ledger with what was verified before."""
        self._checked["memory"] = 1
        size = remembered.size
        if joined.position < size:
            if self.source.size < size:
                what = f"{size} events were verified before, and the ledger ends earlier"
                self._disagree(self.source.size + 1, what, "an event", "none", remembered, vouched)
            return
        root = joined.roots.get(size, b"")
        compared = compare(TreeHead(size, remembered.root), TreeHead(size, root), None)
        if compared.relation is Relation.FORK:
            what = f"the first {size} events are not those that were verified before"
            shown = root.hex() or "nothing"
            self._disagree(1, what, remembered.root.hex(), shown, remembered, vouched)
        elif self.is_quick and any(one.rule == "checkpoints" for one in self._findings):
            what = "a checkpoint does not go on from the one that was verified before"
            self._disagree(size + 1, what, "", "", remembered, vouched)

    def _disagree(
        self,
        position: int,
        what: str,
        expected: str,
        shown: str,
        remembered: EarlierAudit,
        vouched: SignatureReport,
    ) -> None:
        self._findings.append(Finding("memory", position, what, expected, shown))
        self._evidence += [note for note in (remembered.checkpoint, vouched.offered) if note]

    def _look(self, joined: VerifiedPrefix) -> None:
        history = key_history(joined)[0]
        looked = self.source.examine(HashPassResult(joined.tree(), joined.types, history))
        self._checked.update(looked.checked)
        self._findings += looked.findings
        self._remarks += looked.remarks
        self._read |= looked.read

    def _report(
        self, joined: VerifiedPrefix, vouched: SignatureReport, ruled: RulePassResult
    ) -> Report:
        findings = sorted(self._findings, key=lambda finding: finding.position)
        failed = Counter(finding.rule for finding in findings)
        failed.update({name: count - failed[name] for name, count in ruled.failed.items()})
        unchecked = Counter(vouched.unchecked)
        for (name, _), count in ruled.unchecked.items():
            unchecked[name] += count
        checked = self._checked + ruled.checked
        unknown = {name: count for name, count in joined.types.items() if name not in BY_TYPE}
        meanings = all_meanings()
        rules = tuple(
            RuleCount(name, meaning, checked[name], failed[name], unchecked[name])
            for name, meaning in meanings.items()
            if checked[name] or failed[name] or unchecked[name]
        )
        gaps = tuple(
            UncheckedCount(name, reason, count)
            for (name, reason), count in sorted(ruled.unchecked.items())
        )
        return Report(
            **verdict_of(self.source, self.place, joined, vouched, findings),
            program=self.program,
            task="audit",
            is_quick=self.is_quick,
            time_bounds=ruled.times.bounds,
            rules=rules,
            gaps=gaps,
            unknown_types=unknown,
            newer_types={name: count for name, count in unknown.items() if is_newer(name)},
            erased=ruled.erased,
            withheld=ruled.withheld,
            remarks=tuple(self._remarks),
            evidence=tuple(self._evidence),
            transcript=self._transcript(joined, vouched, ruled, rules, findings, gaps),
        )

    def _transcript(
        self,
        joined: VerifiedPrefix,
        vouched: SignatureReport,
        ruled: RulePassResult,
        rules: Sequence[RuleCount],
        findings: Sequence[Finding],
        gaps: Sequence[UncheckedCount],
    ) -> Transcript:
        policy = self.policy or WitnessPolicy()
        return transcript_of(
            AuditRecord(
                kind=self.source.kind,
                origin=self.source.origin,
                size=joined.position,
                root=joined.root.hex(),
                bodiless=ruled.bodiless,
                meanings=all_meanings(),
                results=[(one.rule, one.checked, one.failed, one.unchecked) for one in rules],
                findings=findings,
                unchecked=[(one.rule, one.reason, one.count) for one in gaps],
                trust={
                    "given": sorted(self.vkeys),
                    "logs": sorted(str(log.key) for log in policy.logs),
                    "signed": vouched.size,
                    "trusted": list(vouched.vkeys),
                    "witnessed": vouched.witnessed_size,
                    "witnesses": sorted(str(one.key) for one in policy.witnesses),
                },
                read=self._read | {"checkpoints": vouched.read},
            )
        )

    def _remember(
        self,
        memory: AuditStateFile,
        joined: VerifiedPrefix,
        vouched: SignatureReport,
        report: Report,
    ) -> None:
        origin = self.source.origin
        if not report.passed or not joined.position:
            memory.forget_interruption(origin)
            return
        vkeys = vouched.vkeys
        memory.remember(
            origin,
            EarlierAudit(joined.position, joined.root, vouched.note, vouched.size, vkeys, joined),
        )

"""The verdict on a ledger, or on what was taken from one: one document, for programs and people.

Every kind of `verify` and every audit fills the same one. `verdict_schema.json` beside this file is
its JSON Schema; `python -m tools.catalog` writes it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import GenerateJsonSchema

from ledger.audit.source import Finding
from ledger.audit.transcript import Transcript
from ledger.events.inert import inert
from ledger.events.notation import cosigned_by, counted, listed, shown_time

Thing: TypeAlias = Literal["server", "database", "bundle", "tiles", "receipt", "proof"]

FORMAT: Final = "decision-ledger-verdict/1"
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class RuleCount:
    """One rule: how often it was applied, how often it failed, and how often it could not be."""

    rule: str
    meaning: str
    checked: int
    failed: int = 0
    unchecked: int = 0


@dataclass(frozen=True, slots=True)
class UncheckedCount:
    """A gap: what was not checked, how often, and why; `rule` may be the word for all of them."""

    rule: str
    reason: str
    count: int


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class BundleVerdict(_Part):
    """A bundle, beside the events that it holds."""

    kind: Literal["full", "range", "stream"]
    stream: str
    """The stream that it is of; empty unless it is of one."""
    manifest_digest: str
    """SHA-256 of its `manifest-sha256.txt`, by which the ledger names it in `export.issued`."""
    erased_proven: int
    """How many of the missing bodies an event of the bundle says were erased."""
    erased_stated: int
    """How many more its scope says were erased."""
    complete_up_to: int
    """Nothing is missing of it up to this position."""
    recorded_at: str
    """When the event there was recorded; of a stream, its seal."""
    events_newer: int
    """How many more events the checkpoint covers."""
    report: str
    """How the report for people compares with the events."""
    not_signed: tuple[str, ...]
    """By name, what the bundle says that no signature covers."""


class DecisionVerdict(_Part):
    """A decision as a receipt proves it: how it was recorded, and from what."""

    model: str
    position: int
    action: str
    tier: str
    rule: str
    """The rule that matched; empty if none did."""
    evaluated_at: str
    historical: bool
    """Whether it was made about the past, and changes nothing that is in force."""
    score_position: int
    policy: str
    policy_version: int
    policy_position: int
    input_positions: tuple[int, ...]
    """Where the observations are that the score was computed from."""


class Report(_Part):
    """The verdict: what was checked, up to where, by which keys and witnesses, what not, and why.

    `passed` says that nothing failed, not that all could be checked: `gaps` and `remarks` say what
    was not. Hashes are in hex, positions count from 1, and 0 or an empty text is none.
    """

    format: Literal["decision-ledger-verdict/1"] = FORMAT
    program: str
    """Name and version of the program that looked."""
    task: Literal["verify", "audit"]
    """Whether hashes and signatures were verified, or every rule was applied as well."""
    thing: Thing
    """The kind of thing that was looked at."""
    place: str
    """Its path, its URL without a password, or the server's address."""
    origin: str
    """The ledger; empty where what was looked at does not even say that."""
    passed: bool
    is_quick: bool = False
    """Whether an audit looked only at hashes and signatures of what is new to its state."""
    first_position: int = 0
    last_position: int = 0
    """The events that were checked lie between these, both included."""
    events: int = 0
    """How many they are."""
    size: int = 0
    """The size of the tree that they were found to be in."""
    root: str = ""
    """Its root."""
    head: str = ""
    """The hash of the last event that was checked."""
    first_bad_position: int = 0
    """0 where nothing is wrong with an event."""
    checkpoint_size: int = 0
    """How many events the newest genuine checkpoint by a trusted key covers."""
    checkpoint: str = ""
    """Its signed note."""
    signed_by: tuple[str, ...] = ()
    """The trusted keys that signed it."""
    vkeys: tuple[str, ...] = ()
    """The trusted keys: those that were given, and those that they lead to."""
    witnesses: tuple[str, ...] = ()
    """The witnesses of the policy that have cosigned, by its names."""
    cosigned_at: tuple[str, ...] = ()
    """When each of them says that it did, in UTC."""
    witnessed_size: int = 0
    """How many events they have cosigned."""
    time_bounds: tuple[str, ...] = ()
    """The bounds that times of witnesses put on when events were recorded, as sentences."""
    rules: tuple[RuleCount, ...] = ()
    """The checks that were made, and how often."""
    findings: tuple[Finding, ...] = ()
    """All that does not hold, by position."""
    gaps: tuple[UncheckedCount, ...] = ()
    """All that was not checked, and why."""
    unknown_types: dict[str, int] = {}
    """Events of types that this release does not know: hashed and counted like any other."""
    newer_types: dict[str, int] = {}
    """Those among them of which this release knows another version: their bodies were not checked.
    """
    erased: int = 0
    withheld: int = 0
    """How many bodies are not there for another reason than an erasure on record."""
    remarks: tuple[str, ...] = ()
    """Sentences about the limits of this verdict."""
    evidence: tuple[str, ...] = ()
    """Signed notes that cannot both be true, to be kept."""
    transcript: Transcript | None = None
    """Of an audit alone."""
    bundle: BundleVerdict | None = None
    """Of a bundle alone."""
    decision: DecisionVerdict | None = None
    """Of a receipt alone."""

    def text(self) -> str:
        """Return the verdict for a person; after an audit with a table of its rules."""
        table = [*_table(self.rules), ""] if self.task == "audit" else []
        # The words of others are quoted, and no line of theirs can pass for one of ours.
        return "\n".join([*table, *map(inert, self._sentences())])

    def _sentences(self) -> Iterator[str]:
        yield self._headline()
        yield from self._checked()
        yield from self._signatures()
        if self.erased or self.withheld:
            yield f"Bodies that are not there: {self._missing()}."
        for type_, count in sorted(self.unknown_types.items()):
            yield f"Unknown type {type_}: {counted(count, 'event')}, hashed and counted."
        for gap in self.gaps:
            yield f"Not checked ({gap.rule}, {_times(gap.count)}): {gap.reason}."
        yield from self.remarks
        yield from self._verdict()

    def _headline(self) -> str:
        name = self.origin or self.place
        done = "audited" if self.task == "audit" else "verified"
        if self.decision is not None:
            about = f"{self.decision.model} at position {self.decision.position}"
            return f"{name}: the decision about {about} is proven."
        if not self.events:
            this = "these" if self.thing == "tiles" else "this"
            return f"{name}: nothing of {this} {self.thing} could be verified."
        if self.thing == "proof":
            tree = f"the signed tree of {counted(self.size, 'event')}"
            return f"{name}: position {self.last_position} is in {tree}."
        events = counted(self.events, "event")
        if self.bundle is not None:
            of = f" of {self.bundle.stream}" if self.bundle.stream else ""
            span = f"positions {self.first_position} to {self.last_position}"
            return f"{name}: {events}{of} verified, {span}."
        return f"{name}: {events} {done}, up to position {self.last_position}."

    def _checked(self) -> Iterator[str]:
        if self.decision is not None:
            yield from _told(self.decision)
        if self.task == "verify" and self.rules:
            applied = [f"{one.rule} ({_times(one.checked)})" for one in self.rules if one.checked]
            yield f"Checked: {listed(applied)}."
        if self.head and self.thing != "proof":
            yield f"The last event has the hash {self.head}."
        if self.root:
            yield f"The tree of {counted(self.size, 'event')} has the root {self.root}."
        if self.transcript is not None:
            yield f"The transcript of this audit has the root {self.transcript.root}."
        if self.bundle is not None:
            yield from _described(self.bundle)

    def _signatures(self) -> Iterator[str]:
        if self.checkpoint_size:
            by = f" by {listed(self.signed_by)}" if self.signed_by else ""
            yield f"Signed over {counted(self.checkpoint_size, 'event')}{by}."
        if self.witnesses:
            over = counted(self.witnessed_size, "event")
            yield f"Cosigned over {over} by {cosigned_by(self.witnesses, self.cosigned_at)}."
        yield from self.time_bounds

    def _missing(self) -> str:
        if self.bundle is None:
            return f"{self.erased} erased, {self.withheld} other"
        proven, stated = self.bundle.erased_proven, self.bundle.erased_stated
        return f"{proven} erased (proven), {stated} erased (as stated), {self.withheld} withheld"

    def _verdict(self) -> Iterator[str]:
        newer = sum(self.newer_types.values())
        rest = f" Not checked: {counted(newer, 'event')} of newer versions of known types."
        rest = rest if newer else ""
        if self.passed:
            yield f"Everything that could be checked holds.{rest}"
            return
        yield from (str(finding) for finding in self.findings[:_SHOWN])
        if len(self.findings) > _SHOWN:
            yield f"… and {len(self.findings) - _SHOWN} more."
        at = self.first_bad_position
        where = f", first at position {at}" if at else ""
        what = "ledger" if self.task == "audit" else self.thing
        does = "do" if what == "tiles" else "does"
        yield f"The {what} {does} not hold: {counted(len(self.findings), 'finding')}{where}.{rest}"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a verdict."""
    made = Report.model_json_schema(mode="serialization")
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": FORMAT} | made


def schema_text() -> str:
    """Return the text of `verdict_schema.json`."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _described(bundle: BundleVerdict) -> Iterator[str]:
    at, newer = shown_time(bundle.recorded_at), counted(bundle.events_newer, "event")
    complete = f"complete up to position {bundle.complete_up_to}, recorded at {at}"
    yield f"It is {complete}; the checkpoint is {newer} newer."
    digest = f"Its manifest has the digest {bundle.manifest_digest}"
    yield f"{digest}; compare it with the one that export.issued names in the ledger."
    yield from unsigned_sentences(bundle.report, bundle.not_signed)


def unsigned_sentences(report: str, not_signed: Sequence[str]) -> Iterator[str]:
    """Yield how a bundle's report compares with its events, and what no signature covers."""
    yield f"Its report, data/report.html: {report}."
    if not_signed:
        yield f"No signature covers: {'; '.join(not_signed)}."


def _told(decision: DecisionVerdict) -> Iterator[str]:
    at = shown_time(decision.evaluated_at)
    past = ", historical: it changes nothing in force" if decision.historical else ""
    yield f"{decision.action}, evaluated {at}{past},"
    rule = f"rule {decision.rule}" if decision.rule else "no rule"
    policy = f"policy {decision.policy} version {decision.policy_version}"
    yield f"by {rule} of {policy}, recorded at position {decision.policy_position},"
    inputs = counted(len(decision.input_positions), "observation")
    yield f"from the score at position {decision.score_position}, computed from {inputs}."


def _table(rules: Sequence[RuleCount]) -> Iterable[str]:
    width = max([len(one.rule) for one in rules], default=0)
    yield f"{'rule'.ljust(width)}  {'checked':>10}  {'failed':>8}  {'unchecked':>9}"
    for one in rules:
        yield (f"{one.rule.ljust(width)}  {one.checked:>10}  {one.failed:>8}  {one.unchecked:>9}")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

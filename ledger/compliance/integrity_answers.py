"""Answers about completeness and integrity."""

from dataclasses import dataclass

from ledger.compliance.callers import callers_in_words
from ledger.compliance.conduct import conduct_of, refusals_table
from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.inquiry import Answer, Inquiry, QuestionError
from ledger.compliance.silent_signals import silence_table
from ledger.compliance.tables import Cell, Table, table_of
from ledger.events import notation
from ledger.events.authority import CredentialUsed
from ledger.events.facts import Fact, readable
from ledger.events.keys import KeyRevoked, KeyRotated
from ledger.events.notation import counted
from ledger.events.proving import AUDITED, BodyErased
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.system import CONFIGURED, LedgerCreated
from ledger.events.values import SECOND, parse_time


def is_whole(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Compare with the checkpoint that the auditor kept, and list the audits on record."""
    audits = list(readable(source.facts(AUDITED)))
    answer.how = [
        "decision-ledger audit run --vkey KEY",
        "decision-ledger log consistency SIZE_OF_X",
    ]
    if inquiry.checkpoint and inquiry.live is not None:
        answer.say(*inquiry.live.prove_since(inquiry.checkpoint))
    else:
        answer.say(
            "Give the checkpoint you kept with --checkpoint and ask a live server: it then shows "
            "whether today's ledger begins with exactly those events."
        )
        answer.missing = "No checkpoint kept from earlier was given, or no server could be asked."
    if audits:
        fact, data = audits[-1]
        result = "passed" if data["passed"] else "FAILED"
        answer.say(
            f"The last of {counted(len(audits), 'audit')} on record "
            f"({notation.time(fact.recorded_at)}, by {fact.actor}, position {fact.position}) "
            f"covered {counted(data['size'], 'event')} and {result}."
        )
    else:
        answer.say("No audit is on record.")


@dataclass(slots=True)
class _Key:
    """A key with the sizes of checkpoints that it vouches for."""

    vkey: str
    from_position: int
    until_position: int | None = None
    revoked_from: int | None = None
    reason: str = ""

    def is_valid_at(self, size: int) -> bool:
        """Whether its signature on a checkpoint of this size counts."""
        return (
            self.from_position <= size
            and (self.until_position is None or size <= self.until_position)
            and (self.revoked_from is None or size < self.revoked_from)
        )


def _fold_key(keys: list[_Key], fact: Fact) -> None:
    """Take up what one event says about keys."""
    data = fact.data
    if data is None:
        return
    if fact.type == LedgerCreated.TYPE:
        keys.append(_Key(data["vkey"], 1))
    elif fact.type == KeyRotated.TYPE:
        for key in keys[-1:]:
            key.until_position = data["previous_until_position"]
        keys.append(_Key(data["vkey"], data["from_position"]))
    elif fact.type == KeyRevoked.TYPE:
        for key in keys:
            if key.vkey == data["vkey"]:
                key.revoked_from, key.reason = data["from_position"], data["reason"]


def who_writes(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """List who wrote what, the keys over time, and for one event its author and keys."""
    writers: dict[tuple[str, str], list[int]] = {}
    keys: list[_Key] = []
    shown: dict[str, Fact] = {}
    asked, credential = None, None
    for fact in source.facts():
        _fold_key(keys, fact)
        if fact.type == CredentialUsed.TYPE and fact.data is not None:
            shown[fact.data["actor"]] = fact
        if fact.data is not None:
            row = writers.setdefault((fact.actor, fact.type), [0, fact.recorded_at, 0])
            row[0] += 1
            row[2] = fact.recorded_at
        if fact.position == inquiry.position:
            asked, credential = fact, shown.get(fact.actor)
    answer.say(
        "An actor is the caller as the service knew it: by a credential that is on record or, "
        "where callers were believed, by name alone. A checkpoint's key vouches for the record as "
        "a whole."
    )
    if callers_in_words(source, FactFilter()):
        answer.missing = "Callers that were believed are not proven to be whom they name."
    if inquiry.position is not None:
        if asked is None:
            raise QuestionError(f"There is no event at position {inquiry.position} here.")
        valid = [key.vkey for key in keys if key.is_valid_at(asked.position)]
        author = asked.actor or "an actor whose name was erased or withheld"
        answer.say(
            f"Event {asked.position} ({asked.type}) was caused by {author} and recorded "
            f"{notation.moment(asked.recorded_at)}. Valid at that size: "
            f"{', '.join(valid) or 'no key'}.{_shown_by(asked, credential)}"
        )
    answer.tables.append(_writers_table(writers))
    answer.tables.append(_keys_table(keys))
    answer.how = ["decision-ledger key list", "decision-ledger log prove POSITION"]


def _shown_by(asked: Fact, credential: Fact | None) -> str:
    """Return by which credential the author of an event had called, as a further sentence."""
    data = {} if credential is None else credential.data or {}
    if credential is None or asked.actor.startswith("system/"):
        return ""
    if data["method"] == "development":
        how = "none was asked of it, by `authentication.development`"
    else:
        how = f"{data['method']} {data['subject']} from {data['address']}"
    return (
        f" Its author's last credential on record before: {how} (position {credential.position})."
    )


def _writers_table(writers: dict[tuple[str, str], list[int]]) -> Table:
    return table_of(
        "writers",
        "The authors of events",
        (
            ("actor", "text", "who"),
            ("type", "text", "type of event"),
            ("events", "integer", "how many"),
            ("first_at", "time", "first recorded"),
            ("last_at", "time", "last recorded"),
        ),
        tuple((actor, type_, *row) for (actor, type_), row in sorted(writers.items())),
    )


def _keys_table(keys: list[_Key]) -> Table:
    return table_of(
        "keys",
        "Keys that sign checkpoints",
        (
            ("verifier_key", "text", "the key"),
            ("from_position", "integer", "smallest size it signs"),
            ("until_position", "integer", "largest size it signs"),
            ("revoked_from", "integer", "size from which it counts for nothing"),
            ("reason", "prose", "why it was revoked"),
        ),
        tuple(
            (key.vkey, key.from_position, key.until_position, key.revoked_from, key.reason)
            for key in keys
        ),
    )


def refused_and_silent(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """List refused requests and silent sources."""
    scope = FactFilter(model=inquiry.model, until=inquiry.at)
    refused, sources = refusals_table(source, scope), silence_table(source, scope)
    state = [column.name for column in sources.columns].index("state")
    silent = [row for row in sources.rows if row[state] in {"silent", "never"}]
    answer.say(
        f"Refusals on record: {counted(len(refused.rows), 'kind')}.",
        f"Silent or never heard of: {len(silent)} of {counted(len(sources.rows), 'source')}.",
    )
    answer.tables.append(refused)
    answer.tables.append(
        Table("silent_sources", "Silent sources", sources.columns, tuple(silent), sources.note)
    )
    answer.how = ["decision-ledger compliance export --format csv FOLDER"]


def clocks(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say which clock gave the times, and list late observations by source."""
    late: dict[tuple[str, str], list[int]] = {}
    newest: dict[tuple[str, str], int] = {}
    types = (*CONFIGURED, *OBSERVED_TYPES)
    for fact in source.facts(types):
        data = fact.data
        if data is None or data.get("corrects"):
            continue  # a correction is late by its nature
        if fact.type not in OBSERVED_TYPES:
            clock = {
                "wall": "the server's clock at commit, never running backwards",
                "data": "the newest time stated to the ledger, so history has its own times",
            }[data["clock"]]
            answer.say(
                f"Record times come from {clock} (position {fact.position}); sources may be ahead "
                f"by {notation.duration(data['skew_seconds'])}."
            )
            continue
        model = fact.stream.partition("/")[2]
        if inquiry.model and model != inquiry.model:
            continue
        key, at = (model, data["signal"]), parse_time(data["observed_at"])
        if at < newest.get(key, 0):
            row = late.setdefault(key, [0, 0, 0])
            row[0] += 1
            if newest[key] - at > row[1] * SECOND:
                row[1], row[2] = (newest[key] - at) // SECOND, fact.position
        newest[key] = max(at, newest.get(key, 0))
    rows: tuple[tuple[Cell, ...], ...] = tuple((*key, *row) for key, row in sorted(late.items()))
    answer.say(f"Reported out of order: {len(late)} of {counted(len(newest), 'source')}.")
    answer.show(
        "late_observations",
        "Observations that came after newer ones",
        (
            ("model", "text", "which model"),
            ("signal", "text", "which signal"),
            ("late", "integer", "how many came after a newer one"),
            ("latest_by_seconds", "span", "by how much at most"),
            ("position", "integer", "where that one is recorded"),
        ),
        rows,
    )


def retained_and_erased(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:  # noqa: ARG001 - of all
    """List what was erased, and what the last audit after it found."""
    erasures = list(readable(source.facts((BodyErased.TYPE,))))
    count = sum(last - first + 1 for _, data in erasures for first, last in data["positions"])
    last_erasure = erasures[-1][0].position if erasures else 0
    audits = list(readable(source.facts(AUDITED)))
    after = [(fact, data) for fact, data in audits if fact.position > last_erasure]
    answer.say(
        "Events are never deleted: nothing in the service can delete one. Only a body and its "
        "salt can be erased, under a recorded ground; header, hashes and proofs stay.",
        f"On record: {counted(len(erasures), 'erasure')} of {counted(count, 'position')}.",
    )
    if after:
        newest, found = after[-1]
        answer.say(
            f"The audit at position {newest.position}, after the last erasure, covered "
            f"{found['size']} events and {'passed' if found['passed'] else 'FAILED'}."
        )
    answer.tables.append(conduct_of(source, "bodies erased", "erasures", "Erasures"))
    answer.missing = "" if after else "No audit is on record after the last erasure."
    answer.how = ["decision-ledger audit run --record"]

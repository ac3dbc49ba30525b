"""Questions 1 to 5: completeness and integrity."""

from typing import Final

from ledger.compliance.conduct import conduct_table, refusals_table
from ledger.compliance.facts import Source
from ledger.compliance.questions import Answer, Inquiry, QuestionError, answers
from ledger.compliance.scope import Scope
from ledger.compliance.silence import silence_table
from ledger.compliance.tables import Cell, Table, columns
from ledger.events.keys import KeyRevoked, KeyRotated
from ledger.events.proving import AuditCompleted, BodyErased
from ledger.events.signals import SignalObserved
from ledger.events.system import LedgerConfigured, LedgerConfiguredV2, LedgerCreated
from ledger.events.values import SECOND, format_time, parse_time

_ALL: Final = Scope()


@answers(1)
def is_whole(source: Source, inquiry: Inquiry) -> Answer:
    """Compare with the checkpoint that the auditor kept, and list the audits on record."""
    audits = [
        (fact.position, fact.recorded_at, fact.actor, fact.data)
        for fact in source.facts((AuditCompleted.TYPE,))
        if fact.data is not None
    ]
    answer = Answer(
        how=[
            "decision-ledger audit run --vkey KEY",
            "decision-ledger log consistency SIZE_OF_X",
        ]
    )
    if inquiry.checkpoint and inquiry.live is not None:
        answer.said += inquiry.live.prove_since(inquiry.checkpoint)
    else:
        answer.said.append(
            "Give the checkpoint you kept with --checkpoint and ask a live server: it then shows "
            "whether today's ledger begins with exactly those events."
        )
        answer.missing = "No checkpoint kept from earlier was given, or no server could be asked."
    if audits:
        position, at, actor, data = audits[-1]
        result = "passed" if data["passed"] else "FAILED"
        answer.said.append(
            f"The last of {len(audits)} audits on record ({format_time(at)}, by {actor}, position "
            f"{position}) covered {data['size']} events and {result}."
        )
    else:
        answer.said.append("No audit is on record.")
    return answer


@answers(2)
def who_writes(source: Source, inquiry: Inquiry) -> Answer:
    """List who wrote what, the keys over time, and for one event its author and keys."""
    writers: dict[tuple[str, str], list[int]] = {}
    keys: list[list[Cell]] = []
    asked = None
    for fact in source.facts():
        if fact.is_readable:
            row = writers.setdefault((fact.actor, fact.type), [0, fact.recorded_at, 0])
            row[0] += 1
            row[2] = fact.recorded_at
        if fact.position == inquiry.position:
            asked = fact
        data = fact.data
        if data is None:
            continue
        if fact.type == LedgerCreated.TYPE:
            keys.append([data["vkey"], 1, None, ""])
        elif fact.type == KeyRotated.TYPE:
            keys[-1][2] = data["previous_until_position"]
            keys.append([data["vkey"], data["from_position"], None, ""])
        elif fact.type == KeyRevoked.TYPE:
            for key in keys:
                if key[0] == data["vkey"]:
                    key[3] = f"revoked from size {data['from_position']}: {data['reason']}"
    answer = Answer(
        said=[
            (
                "An actor is what the caller states; a checkpoint's key vouches for the record as "
                "a whole, not for the identity of a caller."
            )
        ],
        missing="Callers are not authenticated: only loopback is served by this release.",
        how=["decision-ledger key list", "decision-ledger log prove POSITION"],
    )
    if inquiry.position is not None:
        if asked is None:
            raise QuestionError(f"There is no event at position {inquiry.position} here.")
        valid = [
            str(key[0])
            for key in keys
            if int(key[1] or 1) <= asked.position
            and (key[2] is None or asked.position <= int(key[2]))
        ]
        author = asked.actor or "somebody whose name was erased or withheld"
        answer.said.append(
            f"Event {asked.position} ({asked.type}) was caused by {author} and recorded at "
            f"{format_time(asked.recorded_at)}. Valid at that size: {', '.join(valid)}."
        )
    answer.tables += [
        Table(
            "writers",
            "Who wrote which events",
            columns(
                ("actor", "text", "who"),
                ("type", "text", "type of event"),
                ("events", "integer", "how many"),
                ("first_at", "time", "first recorded"),
                ("last_at", "time", "last recorded"),
            ),
            tuple((actor, type_, *row) for (actor, type_), row in sorted(writers.items())),
        ),
        Table(
            "keys",
            "Keys that sign checkpoints",
            columns(
                ("verifier_key", "text", "the key"),
                ("from_position", "integer", "smallest size it signs"),
                ("until_position", "integer", "largest size it signs"),
                ("revoked", "text", "whether and why it was revoked"),
            ),
            tuple(tuple(key) for key in keys),
        ),
    ]
    return answer


@answers(3)
def refused_and_silent(source: Source, inquiry: Inquiry) -> Answer:
    """List refused requests and silent sources."""
    scope = Scope(model=inquiry.model, until=inquiry.at)
    refused, sources = refusals_table(source, scope), silence_table(source, scope)
    state = [column.name for column in sources.columns].index("state")
    silent = [row for row in sources.rows if row[state] in {"silent", "never"}]
    return Answer(
        said=[
            f"{len(refused.rows)} kinds of refusals are on record.",
            f"{len(silent)} of {len(sources.rows)} sources are silent or never reported.",
        ],
        tables=[
            refused,
            Table("silent_sources", "Silent sources", sources.columns, tuple(silent), sources.note),
        ],
        how=["decision-ledger compliance export --format csv FOLDER"],
    )


@answers(4)
def clocks(source: Source, inquiry: Inquiry) -> Answer:
    """Say which clock gave the times, and list late observations by source."""
    said: list[str] = []
    late: dict[tuple[str, str], list[int]] = {}
    newest: dict[tuple[str, str], int] = {}
    types = (LedgerConfigured.TYPE, LedgerConfiguredV2.TYPE, SignalObserved.TYPE)
    for fact in source.facts(types):
        data = fact.data
        if data is None:
            continue
        if fact.type != SignalObserved.TYPE:
            clock = {
                "wall": "the server's clock at commit, never running backwards",
                "data": "the newest time stated to the ledger, so history has its own times",
            }[data["clock"]]
            said.append(
                f"Record times come from {clock} (position {fact.position}); sources may be ahead "
                f"by {data['skew_seconds']} seconds."
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
    said.append(f"Of {len(newest)} sources, {len(late)} have reported out of order.")
    return Answer(
        said=said,
        tables=[
            Table(
                "late_observations",
                "Observations that came after newer ones",
                columns(
                    ("model", "text", "which model"),
                    ("signal", "text", "which signal"),
                    ("late", "integer", "how many came after a newer one"),
                    ("latest_by_seconds", "integer", "by how much at most"),
                    ("position", "integer", "where that one is recorded"),
                ),
                rows,
            )
        ],
        missing="How far the server's clock was off is not recorded; `doctor` looks at it.",
    )


@answers(5)
def retained_and_erased(source: Source, inquiry: Inquiry) -> Answer:  # noqa: ARG001 - of all
    """List what was erased, and what the last audit after it found."""
    erasures = [fact for fact in source.facts((BodyErased.TYPE,)) if fact.data is not None]
    count = 0
    for fact in erasures:
        assert fact.data is not None
        count += sum(last - first + 1 for first, last in fact.data["positions"])
    audits = [fact for fact in source.facts((AuditCompleted.TYPE,)) if fact.data is not None]
    after = [fact for fact in audits if not erasures or fact.position > erasures[-1].position]
    said = [
        (
            "Events are kept for ever: nothing in the service deletes one. Only a body and its "
            "salt can be erased, under a recorded ground; header, hashes and proofs stay."
        ),
        f"{len(erasures)} erasures name {count} positions.",
    ]
    if after:
        newest = after[-1]
        assert newest.data is not None
        said.append(
            f"The audit at position {newest.position}, after the last erasure, covered "
            f"{newest.data['size']} events and {'passed' if newest.data['passed'] else 'FAILED'}."
        )
    conduct = conduct_table(source, _ALL)
    what = [column.name for column in conduct.columns].index("what")
    return Answer(
        said=said,
        tables=[
            Table(
                "erasures",
                "Erasures",
                conduct.columns,
                tuple(row for row in conduct.rows if row[what] == "bodies erased"),
            )
        ],
        missing="" if after else "No audit is on record after the last erasure.",
        how=["decision-ledger audit run --record"],
    )

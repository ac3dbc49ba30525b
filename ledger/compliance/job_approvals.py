"""Approvals of jobs: what was asked for at each stage, who gave it, and for exactly what."""

from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.jobs import RecordedApproval, RecordedJob, recorded_jobs
from ledger.compliance.tables import Table, table_of
from ledger.events.authority import ActorRegistered, AdministratorNamed
from ledger.events.facts import readable
from ledger.events.values import SECOND

PERSONS: Final = (ActorRegistered.TYPE, AdministratorNamed.TYPE)
"""The types of events that say which person is behind an actor."""


def persons_of(source: FactSource) -> dict[str, str]:
    """Return the person behind each actor, by the pseudonym on record."""
    return {data["actor"]: data["person"] for _, data in readable(source.facts(PERSONS))}


def job_approvals_table(source: FactSource, scope: FactFilter) -> Table:
    """Return who approved the jobs of the scope, beside whom, and for which evidence."""
    persons = persons_of(source)
    return table_of(
        "job_approvals",
        "Approvals of jobs",
        (
            ("position", "integer", "where it is recorded"),
            ("approved_at", "time", "when, by the ledger's clock"),
            ("job", "text", "which job"),
            ("model", "text", "of which model"),
            ("stage", "text", "that it begins, or that its version is deployed"),
            ("actor", "text", "who approved it"),
            ("role", "text", "in which role"),
            ("proposed_by", "text", "who proposed it"),
            ("is_other", "boolean", "whether that is another account"),
            ("is_other_person", "boolean", "whether that is another person; empty if not known"),
            ("seen_position", "integer", "the evidence that it was given for"),
            ("seen_hash", "text", "the hash of that event, and so of its bytes"),
            ("is_newest", "boolean", "whether that was the newest evidence then"),
            ("verdict", "integer", "the newest verdict before it"),
            ("recipe_digest", "text", "the document that the job was made by"),
            ("note", "prose", "the remark beside it"),
        ),
        [
            _approval_row(one, approval, persons)
            for one in recorded_jobs(source).jobs.values()
            if scope.has_model(one.data["model"])
            for approval in one.approvals
            if scope.takes(approval.fact)
        ],
        page=(
            ("Approved", ("approved_at", "position")),
            ("Job", ("job", "model", "stage")),
            ("By", ("actor", "role")),
            ("Proposed by", ("proposed_by", "is_other", "is_other_person")),
            ("Seen", ("seen_position", "seen_hash", "is_newest", "verdict", "recipe_digest")),
            ("Note", ("note",)),
        ),
    )


def _approval_row(
    one: RecordedJob, approval: RecordedApproval, persons: dict[str, str]
) -> dict[str, Any]:
    fact, proposer = approval.fact, one.proposed.actor
    seen = (fact.data or {})["seen_position"]
    giver, other = persons.get(fact.actor), persons.get(proposer)
    return fact.record | {
        "approved_at": fact.recorded_at,
        "model": one.data["model"],
        "proposed_by": proposer,
        "is_other": fact.actor != proposer,
        "is_other_person": giver != other if giver and other else None,
        "seen_hash": one.hashes.get(seen),
        "is_newest": seen == approval.evidence,
        "verdict": approval.verdict,
        "recipe_digest": one.data["recipe_digest"],
    }


def stages_table(jobs: list[RecordedJob]) -> Table:
    """Return the stages at which jobs waited for people: what was asked for, whether it was met."""
    return table_of(
        "job_stages",
        "Stages at which jobs wait for people",
        (
            ("position", "integer", "the event with which it began"),
            ("since", "time", "since when"),
            ("job", "text", "which job"),
            ("model", "text", "of which model"),
            ("stage", "text", "that it begins, or that its version is deployed"),
            ("asked", "text", "how many persons, in which roles"),
            ("given", "text", "who approved, in order"),
            ("evidence", "integer", "the evidence that is to be approved"),
            ("evidence_hash", "text", "the hash of that event"),
            ("state", "text", "met, open, or how else it ended"),
            ("ended_position", "integer", "the event with which it ended"),
            ("seconds", "span", "how long it lasted"),
            ("went_on", "integer", "the lease by which the job went on"),
        ),
        [
            {
                "position": stage.since.position,
                "since": stage.since.recorded_at,
                "job": one.data["job"],
                "model": one.data["model"],
                "stage": stage.stage,
                "asked": stage.asked_words,
                "given": ", ".join(fact.actor for fact in stage.given) or None,
                "evidence": stage.evidence,
                "evidence_hash": one.hashes.get(stage.evidence),
                "state": stage.state,
                "ended_position": None if stage.ended is None else stage.ended.position,
                "seconds": None
                if stage.ended is None
                else (stage.ended.recorded_at - stage.since.recorded_at) // SECOND,
                "went_on": None if stage.used is None else stage.used.position,
            }
            for one in jobs
            for stage in one.stages
        ],
        page=(
            ("Since", ("since", "position")),
            ("Job", ("job", "model", "stage")),
            ("Asked for", ("asked", "given")),
            ("Evidence", ("evidence", "evidence_hash")),
            ("State", ("state", "ended_position", "seconds", "went_on")),
        ),
    )

"""The answer about incidents: what went wrong soon after a deployment, back to its signals."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.compliance.deployments import BASES, RecordedDeployment, recorded_deployments
from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.jobs import RecordedJob, jobs_in
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.facts import Fact, readable
from ledger.events.models import ModelDeployed
from ledger.events.notation import counted
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import DAY, SECOND, parse_time

CALLED_FOR: Final = "work was called for again"
TAKEN_BACK: Final = "its job was to take it back"
PUT_BACK: Final = "an earlier version was put back"
_KINDS: Final = (CALLED_FOR, TAKEN_BACK, PUT_BACK, BASES["roll_back"], BASES["emergency"])
_RUNS_SHOWN: Final = 3
Data = dict[str, Any]
_Key = tuple[str, str, str]
"""A model, its version and a signal."""


@dataclass(slots=True)
class _Grounds:
    """Decisions and scores by position, and where the observations are that scores counted."""

    now: int = 0
    """The newest time of what was read."""
    decisions: dict[int, tuple[Fact, Data]] = field(default_factory=dict)
    scores: dict[int, Data] = field(default_factory=dict)
    observed: dict[_Key, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, source: FactSource, model: str) -> "_Grounds":
        found = cls()
        types = (*DECISION_TYPES, ScoreComputed.TYPE, ModelDeployed.TYPE)
        for fact, data in readable(source.facts(types)):
            found.now = max(found.now, fact.recorded_at)
            if model and data["model"] != model:
                continue
            if fact.type == ScoreComputed.TYPE:
                found.scores[fact.position] = data
            elif fact.type != ModelDeployed.TYPE:
                found.decisions[fact.position] = fact, data
        return found

    def look_up(self, source: FactSource, decisions: Iterable[int | None]) -> None:
        """Find the observations of every signal that the scores of some decisions counted."""
        for decision in decisions:
            score = self.score_of(decision)
            if score is not None:
                self.observed |= {key: [] for key, _ in _counted(score)}
        if not self.observed:
            return
        for fact, data in readable(source.facts(OBSERVED_TYPES)):
            key = fact.stream.partition("/")[2], data["model_version"], data["signal"]
            if key in self.observed:
                self.observed[key].append(fact.position)

    def score_of(self, decision: int | None) -> Data | None:
        """Return the score behind a decision; None where one of both is not there."""
        _, data = self.decisions.get(decision or 0, (None, {}))
        return self.scores.get(data.get("score_position", 0))

    def signals(self, decision: int | None) -> str | None:
        """Return the signals that the score behind a decision counted, with the newest of each."""
        score = self.score_of(decision)
        if score is None:
            return None
        said = []
        for key, count in _counted(score):
            known = self.observed.get(key, [])
            at = bisect_right(known, score["as_of"])
            newest = f", the newest at position {known[at - 1]}" if at else ""
            said.append(f"{key[2]} ({counted(count, 'observation')}{newest})")
        return "; ".join(said) or None


def _counted(score: Data) -> Iterator[tuple[_Key, int]]:
    """Yield each signal that a score counted, with how many observations of it."""
    for one in score["signals"]:
        if one["observations"]:
            yield (score["model"], score["model_version"], one["signal"]), one["observations"]


def incidents(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """List what went wrong soon after a deployment, back to the signals that it came from."""
    jobs = jobs_in(source, FactFilter(model=inquiry.model))
    deployments = [
        one
        for one in recorded_deployments(source)
        if not inquiry.model or one.data["model"] == inquiry.model
    ]
    grounds = _Grounds.of(source, inquiry.model)
    found = [
        *_called_for(deployments, grounds, inquiry.days * DAY),
        *_taken_back(deployments, jobs, inquiry.days * DAY),
        *_put_back(deployments, inquiry.days * DAY),
    ]
    found.sort(key=lambda one: one["position"])
    causes = {one["decision_position"] for one in found}
    shown = {one["position"] for one in found if one["incident"] == CALLED_FOR}
    grounds.look_up(source, sorted({*causes, *shown} - {None}))
    for one in found:
        decision = one["decision_position"]
        known = grounds.decisions.get(decision or 0)
        one["score_position"] = None if known is None else known[1]["score_position"]
        one["signals"] = grounds.signals(decision)
        if one["incident"] == CALLED_FOR:
            one["shown_by"] = f"{one['shown_by']}, of {grounds.signals(one['position'])}"
    running = sum(one.in_service_at + inquiry.days * DAY > grounds.now for one in deployments)
    answer.say(*_sentences(deployments, found, inquiry.days, running))
    answer.show(
        "incidents",
        "Incidents soon after a deployment",
        (
            ("position", "integer", "where it is recorded"),
            ("at", "time", "when"),
            ("model", "text", "which model"),
            ("model_version", "text", "the version that had been deployed"),
            ("incident", "text", "what happened"),
            ("seconds", "span", "how long after the version went into service"),
            ("reason", "prose", "why"),
            ("shown_by", "prose", "the events that show it"),
            ("deployment_position", "integer", "where the deployment is recorded"),
            ("deployed_by", "text", "by which job, or else by whom"),
            ("replaced_position", "integer", "the deployment that took its place; empty if none"),
            ("decision_position", "integer", "the decision that it was deployed for"),
            ("score_position", "integer", "the score behind that"),
            ("signals", "prose", "the signals that this score counted"),
            ("run_id", "text", "the run from these signals on"),
        ),
        found,
    )
    runs = dict.fromkeys(one["run_id"] for one in reversed(found) if one["run_id"])
    answer.how = [f"decision-ledger run show {run}" for run in list(runs)[:_RUNS_SHOWN]]


def _sentences(
    deployments: list[RecordedDeployment], found: list[Data], days: int, running: int
) -> Iterator[str]:
    after = {one["deployment_position"] for one in found}
    kinds = [(kind, sum(one["incident"] == kind for one in found)) for kind in _KINDS]
    said = "; ".join(f"{kind}: {count}" for kind, count in kinds if count)
    yield (
        f"Within {counted(days, 'day')} of a deployment: {counted(len(found), 'incident')}, after "
        f"{len(after)} of {counted(len(deployments), 'deployment')}{f' ({said})' if said else ''}."
    )
    if found:
        led = sum(one["signals"] is not None for one in found)
        but = (
            ""
            if led == len(found)
            else "; the others are of versions for which no decision called, or of which a body "
            "was erased"
        )
        yield (
            f"Incidents whose deployment leads back to a decision, its score and its signals: "
            f"{led} of {len(found)}{but}."
        )
    if running:
        yield (
            f"For {running} of {counted(len(deployments), 'deployment')} so many days are not over."
        )


def _record(made: RecordedDeployment, incident: str, fact: Fact, **more: Any) -> Data:  # noqa: ANN401 - cells
    """Return what is said of an incident, by the event that it is recorded with."""
    return {
        "position": fact.position,
        "at": fact.recorded_at,
        "model": made.data["model"],
        "model_version": made.data["model_version"],
        "incident": incident,
        "deployment_position": made.fact.position,
        "deployed_by": f"job {made.job}" if made.job else made.fact.actor,
        "replaced_position": None if made.after is None else made.after.fact.position,
        "decision_position": made.fact.causation_position,
        "run_id": made.fact.run_id,
        "reason": None,
    } | more


def _called_for(
    deployments: list[RecordedDeployment], grounds: _Grounds, within: int
) -> Iterator[Data]:
    """Yield the decisions for work soon after the version that they are about went into service."""
    of_model: dict[str, list[RecordedDeployment]] = {}
    for one in deployments:
        of_model.setdefault(one.data["model"], []).append(one)
    for known in of_model.values():
        known.sort(key=lambda one: one.in_service_order)
    for fact, data in grounds.decisions.values():
        if data["action"] == "NO_ACTION" or data["historical"]:
            continue
        at = parse_time(data["evaluated_at"])
        before = [
            one
            for one in of_model.get(data["model"], ())
            if one.fact.position < fact.position and one.in_service_at <= at
        ]
        if not before or at - before[-1].in_service_at > within:
            continue
        yield _record(
            before[-1],
            CALLED_FOR,
            fact,
            at=at,
            seconds=(at - before[-1].in_service_at) // SECOND,
            reason=f"{data['action']}" + (f", by rule {data['rule']}" if data["rule"] else ""),
            shown_by=f"decision {fact.position}, by the score at position {data['score_position']}",
        )


def _taken_back(
    deployments: list[RecordedDeployment], jobs: list[RecordedJob], within: int
) -> Iterator[Data]:
    """Yield the jobs whose version was soon to be taken back, by a verdict or a person."""
    made_by = {one.job: one for one in deployments if one.job and one.data["kind"] == "trained"}
    for job in jobs:
        called, made = job.went_back, made_by.get(job.data["job"])
        if called is None or made is None:
            continue
        after = called.recorded_at - made.in_service_at
        if after > within:
            continue
        yield _record(
            made,
            TAKEN_BACK,
            called,
            seconds=after // SECOND,
            reason=job.job.why,
            shown_by=_evidence(called),
        )


def _evidence(called: Fact) -> str:
    """Return what a version is to be taken back by."""
    data = called.data or {}
    if "gate" not in data:
        return f"the word of {called.actor} at position {called.position}"
    by = [f"evidence at position {data['report']}"] if data["report"] else []
    by += ["the ledger's own observations"] if data["observed"] else []
    return f"the verdict at position {called.position}, by {' and '.join(by) or 'no evidence'}"


def _put_back(deployments: list[RecordedDeployment], within: int) -> Iterator[Data]:
    """Yield the earlier versions that soon served again in the place of one, but for jobs'."""
    for one in deployments:
        before = one.before
        if before is None or one.data["kind"] != "reinstated" or one.job:
            continue
        after = one.in_service_at - before.in_service_at
        if after > within:
            continue
        what = "the proposal" if one.asked is None else f"what {one.asked.actor} asked"
        cited = f", by {what} at position {one.proposal}" if one.proposal else ""
        yield _record(
            before,
            one.basis if one.basis in _KINDS else PUT_BACK,
            one.fact,
            at=one.in_service_at,
            seconds=after // SECOND,
            reason=one.reason,
            shown_by=f"{one.fact.actor} put {one.data['model_version']} in its place{cited}",
        )

"""The confidence report of a job: a pure function of the events of its run.

It says what was gained with its interval, on which samples, how each gate was judged, what it cost
against what was expected and forecast, in which environments its steps ran, and what was not
tested. Equal events give equal bytes, whose digest names the report.
Amounts and times are as events have them, changes are of the candidate against the version in
service: whether less is better is for the criteria, which are here with their verdicts.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ledger.events.canonical import encode
from ledger.events.facts import Fact, fact_of, readable
from ledger.events.gate_names import GATES
from ledger.events.jobs import (
    JOB_TYPES,
    GateJudged,
    GateReported,
    JobApproved,
    JobClosed,
    JobDeployed,
    JobGivenUp,
    JobLapsed,
    JobLeased,
    JobLeaseExpired,
    JobProposed,
    JobRolledBack,
)
from ledger.events.values import PPM, SECOND, format_time
from ledger.jobs.environments import EnvironmentsOfReports
from ledger.jobs.evidence_words import ReportAt, evidence_words
from ledger.jobs.intervals import Interval, mean_difference, share_difference
from ledger.jobs.lineage import Lineage
from ledger.jobs.machine import Jobs

FORMAT: Final = "job-report/1"
SHARE_UNIT: Final = "ppm"
"""The unit of metrics that are read as shares of their sample."""
ERROR_SUFFIX: Final = "-error"
"""A metric of this name beside another one is the standard error of it, in the same unit."""
ROWS: Final = "rows"
_READING: Final = frozenset(
    {"data_integrity", "representativeness", "candidate", "training", "holdout"}
)
"""The gates whose steps read data."""
_LOST: Final = (JobLeaseExpired.TYPE, JobGivenUp.TYPE)
Json = dict[str, Any]


def job_facts(lineage: Lineage, job: str) -> list[Fact]:
    """Return the events of a job of a run as facts."""
    return [
        fact_of(one.position, one.stream, one.type, one.recorded_at, one.body_bytes)
        for one in (entry.event for entry in lineage.entries)
        if one.stream == f"jobs/{job}"
    ]


def report_bytes(facts: Sequence[Fact], origin: str, *, is_whole: bool = True) -> bytes:
    """Return the report of a job as canonical JSON, of the facts of its stream in order.

    They begin with its proposal. `is_whole`: whether none that came later is left out.
    """
    return encode(_Report(facts, origin, is_whole=is_whole).made())


def report_digest(report: bytes) -> str:
    """Return the digest that names a report."""
    return hashlib.sha256(report).hexdigest()


class JobStep(NamedTuple):
    """An event of a job whose body is there: bodies of jobs are kept."""

    position: int
    type: str
    recorded_at: int
    actor: str
    data: Mapping[str, Any]


class _Report:
    """The events of one job, and what a report says of them."""

    def __init__(self, facts: Sequence[Fact], origin: str, *, is_whole: bool) -> None:
        self._origin = origin
        self._is_whole = is_whole
        self._events = [
            JobStep(fact.position, fact.type, fact.recorded_at, fact.actor, data)
            for fact, data in readable(facts)
            if fact.type in JOB_TYPES
        ]
        self._run_id, folded = facts[0].run_id, Jobs()
        for one in self._events:
            folded.apply(
                one.position, facts[0].stream, one.type, one.actor, one.data,
                recorded_at=one.recorded_at,
            )  # fmt: skip
        [self._job] = folded.jobs.values()
        self._reports = {one.position: one for one in self._of(GateReported.TYPE)}
        self._verdicts = {one.data["gate"]: one for one in self._of(GateJudged.TYPE)}
        taken = EnvironmentsOfReports()
        environments = ((one, taken.take(one.position, one.type, one.data)) for one in self._events)
        self._environments = {one.position: ran for one, ran in environments if ran is not None}

    def _of(self, *types: str) -> Iterator[JobStep]:
        return (one for one in self._events if one.type in types)

    def made(self) -> Json:
        """Return the report."""
        job, proposed = self._job, self._job.proposed
        gates = [self._gate(one) for one in proposed["gates"]]
        gains = [gain for one in proposed["gates"] for gain in self._gains(one)]
        end = next(self._of(JobClosed.TYPE), None)
        return {
            "format": FORMAT,
            "ledger": self._origin,
            "run": self._run_id,
            "job": job.name,
            "model": job.model,
            "recipe": proposed["recipe"],
            "recipe_version": proposed["recipe_version"],
            "recipe_digest": proposed["recipe_digest"],
            "proposer": job.proposer,
            "reason": proposed["reason"],
            "plan": proposed["plan"],
            "decision": proposed["decision"],
            "serving": proposed["serving"],
            "state": job.state,
            "outcome": job.outcome or None,
            "why": job.why,
            "version": None if job.deployed is None else job.deployed.model_version,
            "replaces": None if job.deployed is None else job.deployed.replaces,
            "is_rolled_back": any(self._of(JobRolledBack.TYPE)),
            "lapsed": next((self._lapse(one) for one in self._of(JobLapsed.TYPE)), None),
            "first": job.position,
            "last": job.changed_at,
            "gains": gains,
            "gates": gates,
            "observed": [dict(one) for one in job.observed],
            "realised": None if end is None else end.data["realised"],
            "not_tested": list(self._not_tested(gates, gains)),
            "cost": self._cost(),
            "forecast": proposed["forecast"],
            "time": self._time(),
            "approvals": [self._approval(one) for one in self._of(JobApproved.TYPE)],
            "environments": list(self._ran_in(gates)),
            "artifacts": [
                {"gate": one.data["gate"], "position": one.position, **artifact}
                for one in self._reports.values()
                for artifact in one.data["artifacts"]
            ],
        }

    @staticmethod
    def _lapse(event: JobStep) -> Json:
        named = {name: event.data[name] for name in ("ended_by", "by", "model_version")}
        return {"position": event.position, **named}

    # ---- gates -----------------------------------------------------------------------------------

    def _evidence(self, gate: str) -> JobStep | None:
        """Return the evidence that was judged, or the newest that waits for its verdict."""
        judged = self._verdicts.get(gate)
        if judged is not None:
            return self._reports.get(judged.data["report"] or 0)
        found = [one for one in self._reports.values() if one.data["gate"] == gate]
        return found[-1] if found else None

    def _gate(self, asked: Mapping[str, Any]) -> Json:
        name = asked["gate"]
        judged, evidence = self._verdicts.get(name), self._evidence(name)
        data = {} if evidence is None else evidence.data
        criteria = [] if judged is None else judged.data["criteria"]
        told = [ReportAt(one.position, one.data) for one in self._reports.values()]
        return {
            "gate": name,
            "state": self._state_of(name, judged, evidence),
            "verdict": None if judged is None else judged.position,
            "judged_at": None if judged is None else format_time(judged.recorded_at),
            "evidence": None if evidence is None else evidence.position,
            "executor": None if evidence is None else evidence.actor,
            "samples": data.get("samples", {}),
            "metrics": data.get("metrics", {}),
            "criteria": [
                {"name": one["name"], "is_met": one["is_met"], "sentence": one["sentence"]}
                for one in criteria
            ],
            "holdout": asked["holdout"],
            "rests_on": evidence_words(asked, None if judged is None else judged.data, told),
        }

    def _state_of(self, gate: str, judged: JobStep | None, evidence: JobStep | None) -> str:
        if judged is not None:
            return "passed" if judged.data["is_passed"] else "failed"
        if gate == "approval":
            given = [one for one in self._of(JobApproved.TYPE) if one.data["stage"] == "deployment"]
            return "passed" if given and self._is_past(gate) else "open"
        return "open" if evidence is None else "reported"

    def _is_past(self, gate: str) -> bool:
        return any(one["gate"] == gate for one in self._job.proposed["gates"][: self._job.passed])

    def _ran_in(self, gates: list[Json]) -> Iterator[Json]:
        """Yield the environment in which the evidence of each gate was made, if it is recorded."""
        for gate in gates:
            ran = self._environments.get(gate["evidence"] or 0)
            if ran is not None:
                about = {"gate": gate["gate"], "attempt": ran.data["attempt"]}
                yield about | {"position": ran.position, **ran.environment}

    # ---- gain ------------------------------------------------------------------------------------

    def _gains(self, asked: Mapping[str, Any]) -> Iterator[Json]:
        """Yield each comparison of both versions at a gate."""
        evidence = self._evidence(asked["gate"])
        if evidence is None:
            return
        champion, candidate = evidence.data["champion"], evidence.data["candidate"]
        declared = [one["name"] for one in asked["metrics"]]
        for metric in asked["metrics"]:
            name = metric["name"]
            if is_error(name, declared) or name not in champion or name not in candidate:
                continue
            change = candidate[name] - champion[name]
            sample, size = sample_of(evidence.data["samples"])
            method, interval = change_interval(metric, evidence.data, size)
            yield {
                "gate": asked["gate"],
                "metric": name,
                "unit": metric["unit"],
                "meaning": metric["meaning"],
                "champion": champion[name],
                "candidate": candidate[name],
                "change": change,
                "change_ppm": _ratio(change, champion[name]),
                "sample": sample,
                "size": size,
                "method": method,
                "low": None if interval is None else interval.low,
                "high": None if interval is None else interval.high,
            }

    # ---- what was not tested ---------------------------------------------------------------------

    def _not_tested(self, gates: list[Json], gains: list[Json]) -> Iterator[str]:
        asked = {one["gate"]: one for one in self._job.proposed["gates"]}
        for name in GATES:
            if name not in asked:
                yield f"{_words(name)}: the recipe asks for no such gate."
        for gate in gates:
            said = _words(gate["gate"])
            if gate["state"] == "open":
                yield f"{said}: the job did not come so far."
            elif gate["evidence"] is None and gate["gate"] != "approval":
                that = " that counts" if gate["rests_on"] else ""
                yield f"{said}: no evidence{that} was reported{self._otherwise(gate['gate'])}."
            elif not asked[gate["gate"]]["criteria"] and gate["gate"] != "approval":
                yield f"{said}: nothing is asked of its evidence, so a report passes it."
            yield from self._unread(asked[gate["gate"]])
        if not self._is_whole:
            yield "Events of it may be left out of what this report is made of."
        yield from self._unrecorded(gates)
        if not gains:
            yield "Gain: no metric of both versions was reported."
        for gain in gains:
            if gain["method"] is None:
                yield (
                    f"{_words(gain['gate'])}, {gain['metric']}: its interval is not known. It is "
                    f"no share ({SHARE_UNIT}) of a sample whose size is reported, and no metric "
                    f"{gain['metric']}{ERROR_SUFFIX} says its standard error."
                )

    def _otherwise(self, gate: str) -> str:
        """Return on what a gate was judged for which no executor reported; empty for nothing."""
        observed = self._verdicts[gate].data["observed"] if gate in self._verdicts else []
        if not any(int(one["rows"]) for one in observed):
            return ""
        return " by an executor, and the ledger's own observations were judged"

    def _unrecorded(self, gates: list[Json]) -> Iterator[str]:
        """Yield sentences about the gates of whose steps environment or data are not recorded."""
        if not self._environments:
            yield "Environment: none was recorded, so no step can be run again from the record."
            return
        named = [
            _words(gate["gate"])
            for gate in gates
            if gate["evidence"] is not None and gate["evidence"] not in self._environments
        ]
        if named:
            yield f"Environment: not recorded for the steps of {', '.join(named).lower()}."
        without = [
            _words(gate["gate"])
            for gate in gates
            if gate["gate"] in _READING
            and (ran := self._environments.get(gate["evidence"] or 0)) is not None
            and not ran.environment["snapshots"]
        ]
        if without:
            yield f"Data: not recorded for the steps of {', '.join(without).lower()}."

    def _unread(self, asked: Mapping[str, Any]) -> Iterator[str]:
        """Yield the metrics that were reported at a gate and that no criterion read."""
        judged = self._verdicts.get(asked["gate"])
        if judged is None or not asked["criteria"]:
            return
        read = "\n".join(one["when"] for one in judged.data["criteria"])
        names = [one["name"] for one in asked["metrics"]]
        for name in names:
            if is_error(name, names) or f'"{name}"' in read or f"'{name}'" in read:
                continue
            yield f"{_words(asked['gate'])}, {name}: it was reported, and no criterion reads it."

    # ---- cost, time, people ----------------------------------------------------------------------

    def _cost(self) -> Json:
        expected = int(self._job.proposed["expected"]["cost_micros"])
        actual, test = self._job.cost_micros, self._job.stated_test_cost
        end = next(self._of(JobClosed.TYPE), None)
        return {
            "unit": self._job.proposed["expected"]["unit"],
            "expected_micros": str(expected),
            "actual_micros": str(actual),
            "expected_test_micros": self._job.proposed["expected"]["test_micros"],
            "test_micros": None if test is None else str(test),
            "difference_ppm": _ratio(actual - expected, expected),
            "is_final": end is not None,
            "forecast_error_micros": None if end is None else end.data["forecast_error_micros"],
            "is_within_forecast": None if end is None else end.data["is_within_forecast"],
            "by_gate": [
                {"gate": one.data["gate"], "cost_micros": one.data["cost_micros"]}
                for one in self._reports.values()
            ],
        }

    def _time(self) -> Json:
        """Return how long it took from its first lease to its deployment, or else to its last."""
        leases = list(self._of(JobLeased.TYPE))
        ends = [*self._of(JobDeployed.TYPE)] or self._events[-1:]
        taken = (ends[0].recorded_at - leases[0].recorded_at) // SECOND if leases else None
        return {
            "expected_seconds": self._job.proposed["expected"]["duration_seconds"],
            "seconds": taken,
            "attempts": len({one.data["attempt"] for one in leases}),
            "lost": sum(1 for _ in self._of(*_LOST)),
            "proposed_at": format_time(next(self._of(JobProposed.TYPE)).recorded_at),
            "until": format_time(self._events[-1].recorded_at),
        }

    def _approval(self, event: JobStep) -> Json:
        return {
            "actor": event.actor,
            "role": event.data["role"],
            "stage": event.data["stage"],
            "at": format_time(event.recorded_at),
            "position": event.position,
        }


def sample_of(samples: Mapping[str, int]) -> tuple[str | None, int | None]:
    """Return the sample that a gate's metrics are of: its rows, or the only one reported."""
    name = ROWS if ROWS in samples else next(iter(samples), None)
    if name is None or (name != ROWS and len(samples) > 1):
        return None, None
    return name, samples[name]


def change_interval(
    metric: Mapping[str, Any], data: Mapping[str, Any], size: int | None
) -> tuple[str | None, Interval | None]:
    """Return the interval of a metric's change, and by which method; None where it has none."""
    name, error = metric["name"], metric["name"] + ERROR_SUFFIX
    old, new = data["champion"], data["candidate"]
    if error in old and error in new and min(old[error], new[error]) >= 0:
        first, second = (new[name], new[error]), (old[name], old[error])
        return "standard errors", mean_difference(first, second)
    is_share = metric["unit"] == SHARE_UNIT and all(0 <= one[name] <= PPM for one in (old, new))
    if is_share and size:
        return "score intervals", share_difference((new[name], size), (old[name], size))
    return None, None


def is_error(name: str, declared: list[str]) -> bool:
    """Whether a metric is the standard error of another one."""
    return name.endswith(ERROR_SUFFIX) and name.removesuffix(ERROR_SUFFIX) in declared


def _ratio(part: int, whole: int) -> int | None:
    """Return a part of a whole in ppm, rounded towards zero; None of nothing."""
    if not whole:
        return None
    share = abs(part) * PPM // abs(whole)
    return -share if (part < 0) != (whole < 0) else share


def _words(gate: str) -> str:
    return gate.replace("_", " ").capitalize()

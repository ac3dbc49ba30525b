"""How a decision's numbers came about, and by whose act its policy was in force."""

from ledger.api.convert.basics import message_of, timestamp
from ledger.api.convert.policies import scope
from ledger.api.convert.policy_answers import policy_answer
from ledger.application.decisions.grounds import DecisionGrounds, SelectedReport, StandingPolicy
from ledger.events.decisions import RecordedEnvironment
from ledger.events.values import format_decimal
from ledger.kernel.intermediates import SignalTrace
from ledger.rules.counterfactuals import SmallestChange
from ledger.rules.score_words import told_bound, told_lift
from ledger.v1 import explanation_pb2 as pb

_NANO_PER_PPM = 1_000  # a weight as a share of 1


def grounds(found: DecisionGrounds, environment: RecordedEnvironment) -> pb.Grounds:
    """Return how a score came about."""
    return message_of(
        pb.Grounds,
        found.reading,
        signals=[_signal(one, found) for one in found.reading.signals],
        mass=str(found.reading.mass),
        lift=told_lift(found.reading, environment.impact, environment.risk),
        lift_ppm=found.reading.lift,
        lift_max_ppm=found.reading.lift_max,
        counterfactuals=[_counterfactual(one) for one in found.counterfactuals],
    )


def _signal(reading: SignalTrace, found: DecisionGrounds) -> pb.SignalGrounds:
    rule = reading.rule
    return message_of(
        pb.SignalGrounds,
        reading,
        signal=rule.signal,
        unit=found.units.get(rule.signal, ""),
        baseline=format_decimal(rule.baseline),
        critical=format_decimal(rule.critical),
        buckets=[
            message_of(pb.BucketReading, one, severities=str(one.severities), decay=str(one.decay))
            for one in reading.buckets
        ],
        decayed_samples=str(reading.decayed_samples),
        decayed_severities=str(reading.decayed_severities),
        mass=str(reading.mass),
        reports=[_report(one) for one in found.reports.get(rule.signal, ())],
        reports_counted=found.reports_counted.get(rule.signal, 0),
        bound=told_bound(rule),
    )


def _report(report: SelectedReport) -> pb.CountedReport:
    more = report.details
    return message_of(
        pb.CountedReport,
        report,
        value=format_decimal(report.value),
        raw=more.raw if more else None,
        indicators=more.indicators if more else {},
        estimated=more.estimated if more else False,
        corrects=more.corrects.position if more and more.corrects else 0,
        report_uri=more.report.uri if more and more.report else "",
        report_sha256=more.report.sha256 if more and more.report else "",
    )


def _counterfactual(one: SmallestChange) -> pb.Counterfactual:
    grain = _NANO_PER_PPM if one.kind == "weight" else 1
    return message_of(
        pb.Counterfactual,
        one,
        value=format_decimal(one.value * grain),
        needed=format_decimal(one.needed * grain),
    )


def standing(found: StandingPolicy) -> pb.PolicyStanding:
    """Return by whose act a policy version was in force."""
    return pb.PolicyStanding(
        policy=found.drafted.policy,
        version=found.drafted.version,
        title=found.document.title,
        drafted_by=found.draft.body.actor,
        drafted_at=timestamp(found.draft.recorded_at),
        drafted_position=found.draft.position,
        drafted_because=found.drafted.rationale,
        activated_by=found.activation.body.actor,
        activated_at=timestamp(found.activation.recorded_at),
        activated_position=found.activation.position,
        activated_because=found.activated.rationale,
        scope=scope(found.activated.scope),
        answer=None if found.answer is None else policy_answer(found.answer),
    )

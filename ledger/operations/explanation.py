"""A decision explained for people: as text, and as one page to read or print."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from ledger.client.grounds import (
    CountedReport,
    Grounds,
    PolicyStanding,
    SignalGrounds,
)
from ledger.client.outcomes import (
    Environment,
    ExplainedDecision,
    OverrideRecord,
    SignalScore,
)
from ledger.client.policy_answers import PolicyAnswer
from ledger.client.policy_scopes import PolicyScope
from ledger.events.inert import inert
from ledger.events.notation import counted, percent, shown_time
from ledger.governance.answers import told_basis

_ONE: Final = 1 << 62  # the decay of age 0


def explanation_text(found: ExplainedDecision, *, is_full: bool) -> str:
    """Return an explanation as text; in full, with every bucket and sum behind it."""
    why, grounds = found.explanation, found.grounds
    parts = [inert(why.headline), "", inert(why.paragraph)]
    if found.decision.horizon.historical:
        at = shown(found.decision.horizon.evaluated_at)
        parts.insert(0, f"Evaluated as of {at}: historical, so it changes nothing in force.\n")
    parts += ["", inert(found.override)] if found.override else []
    parts += _section("Overruled", [told_overruling(one) for one in found.decision.overruled_by])
    if found.standing:
        parts += ["", f"Policy: {inert(told_standing(found.standing))}"]
    parts += _section("Asked of people", list(found.asked))
    parts += _section("Signals", [each.sentence for each in why.contributions])
    if grounds is not None:
        parts += _section("Reports", [told_reports(each) for each in grounds.signals])
        parts += _section("Impact and risk", [grounds.lift])
    parts += _section("Rules", [each.sentence for each in why.rules])
    parts += _section("Changes that would give another decision", changes(found))
    if grounds is not None:
        parts += _section("One source alone", [each.bound for each in grounds.signals])
    if is_full:
        rows = environment_rows(found.decision.environment)
        parts += _section("Values that rules could see", [f"{name}: {text}" for name, text in rows])
        for each in grounds.signals if grounds else ():
            parts += _sums(each)
    if found.grounds_missing:
        parts += ["", f"How the numbers came about is not known: {inert(found.grounds_missing)}"]
    return "\n".join(parts)


def _section(title: str, sentences: list[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {inert(each)}" for each in sentences)] if sentences else []


def told_overruling(one: OverrideRecord) -> str:
    """Return who overruled a decision, until when, with what and why, in sentences."""
    role = f" as {one.role}" if one.role else ""
    holds = "It holds still." if one.in_effect else "It does not hold any more."
    return (
        f"{one.actor}{role} overruled it with {one.action} until {shown(one.effective_until)}, at "
        f"position {one.position}: {one.reason.rstrip('.')}. {holds}"
    )


def changes(found: ExplainedDecision) -> list[str]:
    """Return every single change that would have led to another outcome, in sentences."""
    said = [each.sentence for each in found.explanation.boundaries]
    return (
        said + [each.sentence for each in found.grounds.counterfactuals] if found.grounds else said
    )


def told_standing(standing: PolicyStanding) -> str:
    """Return by whose act a policy was in force, in sentences."""
    said = (
        f"{standing.policy} version {standing.version} ({standing.title}). {standing.drafted_by} "
        f"drafted it {shown(standing.drafted_at)}, at position {standing.drafted_position}: "
        f"{_ended(standing.drafted_because)} {standing.activated_by} brought it into force for "
        f"{scope_text(standing.scope)} {shown(standing.activated_at)}, at position "
        f"{standing.activated_position}{basis_of(standing.answer)}: "
        f"{_ended(standing.activated_because)}"
    )
    return " ".join([said, *(standing.answer.sentences if standing.answer else ())])


def _ended(text: str) -> str:
    """Return what a person wrote with one full stop, whether it has one or not."""
    return f"{text.rstrip('.')}."


def basis_of(answer: PolicyAnswer | None) -> str:
    """Return by what a version came into force, as the end of a phrase; empty of a direct one."""
    is_direct = answer is None or answer.basis == "direct"
    return "" if answer is None or is_direct else f", {told_basis(answer.basis)}"


def scope_text(scope: PolicyScope | None) -> str:
    """Return a scope as people write it."""
    if scope is not None and scope.model:
        return f"model {scope.model}"
    if scope is not None and scope.labels:
        return "models with " + ", ".join(f"{key}={value}" for key, value in scope.labels.items())
    return "the whole ledger"


def told_reports(signal: SignalGrounds) -> str:
    """Return what was reported of a signal, raw, in a sentence."""
    limits = f"healthy at {value(signal.baseline, signal)}, at its worst at "
    limits += value(signal.critical, signal)
    if not signal.reports:
        return f"{signal.signal}: no report counted ({limits})."
    newest = signal.reports[0]
    return (
        f"{signal.signal}: {counted(signal.reports_counted, 'report')} in "
        f"{counted(len(signal.buckets), 'bucket')}, the newest {value(newest.value, signal)} at "
        f"{shown(newest.observed_at)} by {newest.source}{told_details(newest)} ({limits})."
    )


def told_details(report: CountedReport) -> str:
    """Return what a report says beyond its value, as the end of a phrase."""
    said = []
    if report.estimated:
        said.append("an estimate")
    if report.raw is not None:
        said.append(f"measured {report.raw:f}")
    said += [f"{name} {number:f}" for name, number in sorted(report.indicators.items())]
    if report.corrects:
        said.append(f"in the place of position {report.corrects}")
    if report.report_uri:
        said.append(f"report {report.report_uri} (SHA-256 {report.report_sha256})")
    return "".join(f", {each}" for each in said)


def value(number: Decimal, signal: SignalGrounds) -> str:
    """Return a value with its unit."""
    return f"{number:f} {signal.unit}".rstrip()


def environment_rows(seen: Environment) -> list[tuple[str, str]]:
    """Return every variable of the rules beside the signals, with its value for a person."""
    rows: list[tuple[str, str]] = []
    for item in fields(seen):
        found = getattr(seen, item.name)
        name = item.name.removesuffix("_ppm")
        if item.name == "model":
            rows += [("model.owner", found.owner or "-"), ("model.tier", found.tier or "-")]
            rows += [(f'model.labels["{key}"]', text) for key, text in sorted(found.labels.items())]
        elif item.name.endswith("_ppm"):
            rows.append((name, percent(found)))
        elif "hours" in name:
            rows.append((name, "never" if found < 0 else counted(found, "hour")))
        elif name != "signals":
            rows.append((name, str(found) or "-"))
    return rows


def _sums(signal: SignalGrounds) -> Iterator[str]:
    """Yield what the kernel added up for one signal."""
    if not signal.buckets:
        return
    yield f"\nHow {inert(signal.signal)} came about:"
    for one in signal.buckets:
        yield (
            f"  {shown(one.begins_at)}  severity {percent(one.mean_ppm)} of "
            f"{counted(one.samples, 'sample')} in {counted(one.observations, 'report')}, "
            f"counts {decayed(one.decay)}{', a breach' if one.is_breach else ''}"
        )
    yield f"  {told_belief(signal)}"


def told_belief(signal: SignalGrounds) -> str:
    """Return how severity became effective severity, in a sentence."""
    return (
        f"Decayed, that is {_whole(signal.decayed_samples)} samples, by which a severity of "
        f"{percent(signal.believed_ppm)} is believed; it counts {percent(signal.gain_ppm)} of that."
    )


def _whole(sum_: int) -> str:
    """Return a decayed sum of samples with one decimal."""
    tenths = sum_ * 10 // _ONE
    return f"{tenths // 10:,}.{tenths % 10}"


def decayed(decay: int) -> str:
    """Return a decay as per cent of an observation that is made now."""
    return percent(decay * 1_000_000 // _ONE)


def shown(time: datetime) -> str:
    """Return a time for a person, in UTC."""
    return shown_time(time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


# ---- the page ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignalSection:
    """One signal on the page: what the score says of it, and how that came about."""

    score: SignalScore
    sentence: str
    grounds: SignalGrounds | None


def explanation_page(found: ExplainedDecision) -> bytes:
    """Return an explanation as one HTML page in the style of all pages; it loads nothing."""
    from ledger import pages

    environment = pages.environment("ledger.operations", "templates")
    environment.filters |= {
        "shown": shown,
        "decayed": decayed,
        "belief": told_belief,
        "scope_text": scope_text,
        "details": told_details,
        "basis": basis_of,
        "overruling": told_overruling,
    }
    template = environment.get_template("decision.html.jinja")
    return template.render(
        found=found,
        decision=found.decision,
        why=found.explanation,
        seen=found.decision.environment,
        signals=_sections(found),
        changes=changes(found),
        environment=environment_rows(found.decision.environment),
        value=value,
        count=counted,
    ).encode()


def _sections(found: ExplainedDecision) -> list[SignalSection]:
    grounds: Grounds | None = found.grounds
    by_name = {each.signal: each for each in grounds.signals} if grounds else {}
    return [
        SignalSection(each.score, each.sentence, by_name.get(each.score.signal))
        for each in found.explanation.contributions
    ]

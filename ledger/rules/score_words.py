"""How a score came about, in words: impact and risk, and the bound on one source."""

from ledger.events.notation import percent
from ledger.events.values import PPM
from ledger.kernel.intermediates import ScoreTrace
from ledger.kernel.quotas import source_bound
from ledger.kernel.scoring import SignalRule


def told_lift(reading: ScoreTrace, impact: int, risk: int) -> str:
    """Return how impact and risk of the model turned its degradation into its priority."""
    result = reading.score
    if reading.lift_max == PPM:
        return (
            f"The policy gives impact and risk no gain, so the priority is the degradation, "
            f"{percent(result.priority)}."
        )
    return (
        f"Impact {percent(impact)} and risk {percent(risk)} of the model lift the degradation of "
        f"{percent(result.degradation)} by {_factor(reading.lift)} of at most "
        f"{_factor(reading.lift_max)}, to a priority of {percent(result.priority)}."
    )


def told_bound(rule: SignalRule) -> str:
    """Return how far one source alone moves a signal, in a sentence."""
    name, bound = rule.signal, source_bound(rule)
    if rule.source_cap is None and rule.sources_needed >= 2:
        return (
            f"One source alone cannot raise {name} above what another source reports: "
            f"{rule.sources_needed} sources must agree. {_silence(rule.sources_needed)}"
        )
    if bound.share == PPM:
        return f"One source alone can be all of {name}: nothing limits what it counts for."
    raised = "and can make it sustained" if bound.is_sustained else "and does not make it sustained"
    kept = "stays sustained" if bound.is_kept else "may cease to be sustained"
    return (
        f"One source alone moves {name} by at most {percent(bound.most)}, as long as at least "
        f"{rule.sources_needed} others fill each bucket. Where all of them report it healthy, that "
        f"source raises it to {percent(bound.raised)} at most {raised}; where all of them report "
        f"it at its worst, {name} {kept}. {_silence(rule.sources_needed)}"
    )


def _silence(needed: int) -> str:
    """Return what a bound on one source does not cover."""
    return (
        f"The bound is not on silence: where fewer than {needed} others report, a source that "
        "falls silent ends the signal."
    )


def _factor(ppm: int) -> str:
    """Return a factor with two places: `1.80`."""
    return f"{ppm // PPM}.{ppm % PPM // 10_000:02d}"

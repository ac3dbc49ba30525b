"""The grounds of a decision: every number adds up, and each change that is told changes it.

Method: a ledger of a few reports; what its grounds say is computed by hand from the kernel's page,
and each change that they name is carried out in another ledger, which must decide as told.
"""

from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ledger.api.convert.grounds import grounds
from ledger.application.commands import Caller
from ledger.application.decisions.grounds import DecisionGrounds
from ledger.application.fleet.observation_details import StatedDetail
from ledger.client.decode import decode
from ledger.client.grounds import Grounds
from ledger.errors import LedgerError, Reason
from ledger.events.decisions import DecisionMade, ScoreComputed
from ledger.events.registry import typed
from ledger.events.values import NANO, PPM, format_decimal
from ledger.operations.explanation import told_reports
from ledger.rules.counterfactuals import SmallestChange
from tests.support.world import (
    ANA,
    DAY,
    HOUR,
    MONITOR,
    START,
    World,
    policy_text,
    rule,
    signal_rule,
)

DAYS = 5
RULES = [
    rule("bad", "priority >= 500000"),
    rule("look", 'signals["loss"].sustained && priority > 100000', "INVESTIGATE"),
]


def told(
    path: Path,
    *,
    loss: float = 0.6,
    drift: float = 0.4,
    reported: dict[str, Decimal] | None = None,
    **more: Any,  # noqa: ANN401 - parts of a policy
) -> World:
    """Return a ledger with one decided model; `reported` states one value for a signal."""
    signals = [
        signal_rule(weight=loss),
        signal_rule("drift", weight=drift, baseline=0.1, critical=0.5, sources_needed=2),
    ]
    world = World(path / "l.sqlite")
    world.begin("m1", policy=policy_text(signals=signals, rules=RULES, **more))
    given = reported or {}
    for day in range(DAYS):
        at = START + day * DAY
        world.see("m1", str(given.get("loss", Decimal("0.9") + day * Decimal("0.1"))), at)
        for source, usual in (("a", "0.2"), ("b", "0.25"), ("c", "0.9")):
            value, caller = str(given.get("drift", usual)), Caller(f"services/{source}")
            world.see("m1", value, at + HOUR, signal="drift", caller=caller)
    world.evaluate("m1")
    return world


def newest(world: World) -> tuple[DecisionMade, ScoreComputed]:
    return world.decisions("m1")[-1], world.scores("m1")[-1]


def grounds_of(world: World) -> DecisionGrounds:
    return world.ledger.grounds.grounds(newest(world)[1])


def test_the_sums_of_the_grounds_give_every_output_that_is_recorded(tmp_path: Path) -> None:
    world = told(tmp_path)
    found, scored = grounds_of(world).reading, newest(world)[1]
    recorded = {one.signal: one for one in scored.signals}
    for one in found.signals:
        output = recorded[one.rule.signal]
        assert one.decayed_severities // one.decayed_samples == output.magnitude
        prior = one.rule.prior_samples << 62
        assert one.believed == one.decayed_severities // (one.decayed_samples + prior)
        assert one.believed * one.gain // PPM == output.effective
        assert len(one.buckets) == output.buckets
        assert sum(bucket.is_breach for bucket in one.buckets) == output.breaches
        assert max(bucket.peak for bucket in one.buckets) == output.peak
        assert sum(bucket.observations for bucket in one.buckets) == output.observations
        assert one.mass * PPM // found.mass == output.share
    assert found.mass // found.weight == scored.degradation
    assert found.weight_present * PPM // found.weight == scored.coverage
    assert scored.degradation * found.lift // found.lift_max == scored.raw_priority
    world.close()


def test_the_newest_reports_that_counted_are_shown_raw_and_those_of_silent_voices_are_not(
    tmp_path: Path,
) -> None:
    world = told(tmp_path)
    found = grounds_of(world)
    assert [format_decimal(one.value) for one in found.reports["loss"]] == [
        "1.3", "1.2", "1.1", "1", "0.9",
    ]  # fmt: skip
    assert found.reports_counted == {"loss": DAYS, "drift": DAYS}
    assert {one.source for one in found.reports["drift"]} == {"services/b"}  # the second of three
    assert found.units == {"loss": "nats", "drift": "nats"}
    world.close()


def outcome_after(path: Path, change: SmallestChange) -> tuple[str, str]:
    """Return what a ledger decides in which one thing is as a counterfactual says."""
    path.mkdir()
    if change.kind == "weight":
        weights = {"loss": 0.6, "drift": 0.4} | {change.signal: change.needed / PPM}
        world = told(path, loss=weights["loss"], drift=weights["drift"])
    else:
        world = told(path, reported={change.signal: Decimal(change.needed) / NANO})
    made = newest(world)[0]
    world.close()
    return made.action, made.rule


def test_each_change_that_is_told_is_carried_out_and_gives_the_decision_that_is_told(
    tmp_path: Path,
) -> None:
    world = told(tmp_path)
    found = grounds_of(world).counterfactuals
    made = newest(world)[0]
    world.close()
    # No weight of drift alone would do.
    assert {(one.kind, one.signal) for one in found} == {
        ("reports", "loss"),
        ("reports", "drift"),
        ("weight", "loss"),
    }
    for number, one in enumerate(found):
        assert (one.action, one.rule) != (made.action, made.rule)
        assert outcome_after(tmp_path / str(number), one) == (one.action, one.rule), one.sentence


def test_no_smaller_change_of_a_weight_gives_another_decision(tmp_path: Path) -> None:
    world = told(tmp_path)
    made = newest(world)[0]
    (found,) = [
        one for one in grounds_of(world).counterfactuals
        if (one.kind, one.signal) == ("weight", "loss")
    ]  # fmt: skip
    world.close()
    (tmp_path / "nearer").mkdir()
    nearer = told(tmp_path / "nearer", loss=(found.needed + 1) / PPM)
    assert newest(nearer)[0].rule == made.rule
    nearer.close()
    assert found.sentence.startswith("If the weight of loss were ")
    assert " rather than 60%, all else equal, rule look would decide INVESTIGATE" in found.sentence


def test_a_bound_on_the_step_of_priority_holds_in_what_would_have_changed_it(
    tmp_path: Path,
) -> None:
    world = told(tmp_path, max_priority_step=0.01)
    for value in ("1.4", "1.4"):
        world.see("m1", value, START + DAYS * DAY)
        world.evaluate("m1")
    made = newest(world)[0]
    assert made.environment.priority != made.environment.raw_priority
    assert [one for one in grounds_of(world).counterfactuals if one.kind == "weight"] == []
    world.close()


def test_the_grounds_name_the_draft_and_the_activation_by_which_the_policy_was_in_force(
    tmp_path: Path,
) -> None:
    world = told(tmp_path)
    _, scored = newest(world)
    world.activate(policy_text(), policy="other")  # later, so the decision's policy remains
    found = world.ledger.grounds.standing(scored)
    assert found is not None
    assert (found.drafted.policy, found.drafted.version, found.document.title) == (
        "main",
        1,
        "Test",
    )
    assert found.draft.body.actor == found.activation.body.actor == ANA.actor
    assert found.activation.position == found.draft.position + 1
    assert asdict(found)["activated"].policy == "main"
    world.close()


def test_an_erased_report_leaves_the_explanation_and_takes_its_grounds(tmp_path: Path) -> None:
    world = told(tmp_path)
    _, scored = newest(world)
    position = world.events(DecisionMade.TYPE, "decision.made.v2")[-1].position
    world.erase(world.events("signal.observed.v1")[0].position)
    assert world.ledger.decisions.explain("m1", position)[1].paragraph
    with pytest.raises(LedgerError) as caught:
        world.ledger.grounds.grounds(scored)
    assert caught.value.reason is Reason.BODY_ERASED
    world.close()


def test_a_score_that_does_not_come_out_again_has_no_grounds(tmp_path: Path) -> None:
    world = told(tmp_path)
    event = world.events(ScoreComputed.TYPE)[-1]
    changed = typed(event, ScoreComputed).model_copy(update={"degradation": 1})
    with pytest.raises(LedgerError) as caught:
        world.ledger.grounds.grounds(changed)
    assert caught.value.reason is Reason.EVENT_UNREADABLE
    assert "comes out otherwise" in caught.value.message
    world.close()


def test_a_report_is_shown_with_all_that_was_said_beside_its_value(tmp_path: Path) -> None:
    world = told(tmp_path)
    corrected = world.events("signal.observed.v1")[-4].position
    detail = StatedDetail(
        raw="17",
        estimated=True,
        indicators={"ks": "0.12"},
        report_uri="s3://reports/1.json",
        report_sha256="ab" * 32,
        corrects=corrected,
    )
    row = ("m1", "loss", "", "1.4", START + (DAYS - 1) * DAY, 100)
    world.ledger.intake.submit(MONITOR, [row], details={0: detail}).result()
    world.evaluate("m1")
    found = decode(Grounds, grounds(grounds_of(world), newest(world)[0].environment))
    (loss,) = [one for one in found.signals if one.signal == "loss"]
    first = loss.reports[0]
    assert (first.value, first.raw, first.estimated) == (Decimal("1.4"), Decimal(17), True)
    assert first.indicators == {"ks": Decimal("0.12")}
    assert (first.corrects, first.report_sha256) == (corrected, "ab" * 32)
    assert loss.reports[1].raw is None
    assert told_reports(loss).count("an estimate, measured 17, ks 0.12, in the place of") == 1
    world.close()


def test_an_explanation_is_the_same_then_and_long_after(tmp_path: Path) -> None:
    world = told(tmp_path)
    _, scored = newest(world)
    position = world.events("decision.made.v2")[-1].position
    then = (
        world.ledger.decisions.explain("m1", position)[1],
        world.ledger.grounds.grounds(scored),
        world.ledger.grounds.standing(scored),
    )
    world.see("m1", "9", START + (DAYS - 1) * DAY)  # into the very buckets, and later
    world.see("m1", "9", START + 20 * DAY)
    world.activate(policy_text(signals=[signal_rule(weight=0.1)]))
    world.deploy("m1", "v2", at=START + 30 * DAY)
    world.restart()
    assert then == (
        world.ledger.decisions.explain("m1", position)[1],
        world.ledger.grounds.grounds(scored),
        world.ledger.grounds.standing(scored),
    )
    world.close()

"""A fitted policy follows its stated rules, is the same every time, and always lints clean.

Method: a small history with known quantiles, and arbitrary histories over all values there are.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.application.policies.fit import OBSERVATIONS_MIN, Reading, fit_policy
from ledger.application.policies.fleet_lint import LintFleet
from ledger.application.policies.lint import lint
from ledger.application.policies.starting_policy import first_policy
from ledger.application.policies.text import parse
from ledger.errors import LedgerError, Reason
from ledger.events.signals import SignalDefined
from ledger.events.values import NANO_LIMIT

DAY = 86_400 * 1_000_000
START = 20_000 * DAY
KINDS = ["performance", "drift", "data_quality", "latency", "fairness", "cost", "custom"]


def defined(
    name: str, kind: str = "performance", direction: str = "higher_is_worse"
) -> SignalDefined:
    return SignalDefined.from_data(
        {
            "signal": name,
            "kind": kind,
            "unit": "",
            "direction": direction,
            "meaning": "",
            "collection": "",
        }
    )


def weekly(values: list[int]) -> list[Reading]:
    return [(value, START + week * 7 * DAY, 1_000) for week, value in enumerate(values)]


def test_baseline_and_critical_are_the_stated_quantiles() -> None:
    values = [400_000_000 + 1_000_000 * step for step in range(100)]
    text = fit_policy({"loss": weekly(values)}, {"loss": defined("loss")})
    rule = parse(text).scoring.signals[0]
    assert (rule.baseline, rule.critical) == ("0.444", "0.498")  # item 44 of 90, item 98 of 100
    assert rule.bucket_seconds == 7 * 86_400
    assert rule.window_seconds == 28 * rule.bucket_seconds
    assert (rule.sample_cap, rule.prior_samples) == (1_000, 1_000)
    assert "median 0.444" in str(rule.rationale)
    assert "99th percentile is 0.498" in str(rule.rationale)
    assert "From 100 observations" in str(rule.rationale)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_few_wild_extremes_do_not_move_critical(sign: int) -> None:
    healthy = [sign * (460_000_000 + 1_000_000 * (step % 21 - 10)) for step in range(97)]
    wild = [sign * value for value in (124 * 10**18, 98 * 10**18, 10**15)]
    known = {"s": defined("s", direction="higher_is_worse" if sign == 1 else "lower_is_worse")}
    text = fit_policy({"s": weekly(healthy + wild)}, known)
    rule = parse(text).scoring.signals[0]
    # The better nine tenths have their median at 0.458 and stray from it by 0.004 in the middle.
    assert (abs(float(rule.baseline)), abs(float(rule.critical))) == (0.458, 0.538)
    assert "critical lies 20 usual distances from the median" in str(rule.rationale)
    assert f"# s: the 99th percentile, {'-' if sign < 0 else ''}98000000000, is far out" in text


def test_a_real_degradation_is_no_outlier() -> None:
    values = [400_000_000 + 1_000_000 * (step % 40) for step in range(90)]
    worse = [500_000_000 + 5_000_000 * step for step in range(10)]
    text = fit_policy({"loss": weekly(values + worse)}, {"loss": defined("loss")})
    assert parse(text).scoring.signals[0].critical == "0.54"
    assert "far out" not in text


def test_extremes_of_a_signal_that_else_never_moves_are_drawn_in_where_it_has_a_size() -> None:
    still = {"s": weekly([460_000_000] * 97 + [124 * 10**18] * 3)}
    assert parse(fit_policy(still, {"s": defined("s")})).scoring.signals[0].critical == "1.38"
    # A rate that is usually 0 has no size of its own: what it was is all there is to go by.
    rate = {"s": weekly([0] * 90 + [300_000_000] * 10)}
    assert (
        parse(fit_policy(rate, {"s": defined("s", "drift")})).scoring.signals[0].critical == "0.3"
    )


def test_a_policy_without_planning_says_so_and_what_to_add() -> None:
    history = {"psi": weekly([10**7 + n for n in range(60)])}
    text = fit_policy(history, {"psi": defined("psi", "drift")})
    assert "# `planning` is left out, so no plan can be made" in text
    assert "#   planning:\n#     loss_signal: ITS_ID\n" in text
    loss = fit_policy({"loss": weekly([4 * 10**8] * 60)}, {"loss": defined("loss")})
    assert "left out" not in loss


def test_where_lower_is_worse_critical_lies_below() -> None:
    values = [1_000_000_000_000 - 1_000_000_000 * step for step in range(100)]
    known = {"volume": defined("volume", "data_quality", "lower_is_worse")}
    rule = parse(fit_policy({"volume": weekly(values)}, known)).scoring.signals[0]
    assert (rule.baseline, rule.critical) == ("956", "902")


def test_a_signal_that_never_moved_still_gets_two_limits() -> None:
    rule = parse(fit_policy({"loss": weekly([10**9] * 40)}, {"loss": defined("loss")}))
    assert (rule.scoring.signals[0].baseline, rule.scoring.signals[0].critical) == ("1", "1.1")


def test_loss_is_planned_by_and_scheduled_for_and_drift_only_looked_at() -> None:
    history = {"loss": weekly([4 * 10**8 + n for n in range(60)]), "psi": weekly([10**7] * 60)}
    document = parse(fit_policy(history, {"loss": defined("loss"), "psi": defined("psi", "drift")}))
    assert document.planning is not None
    assert document.planning.loss_signal == "loss"
    actions = {rule.id: rule.action for rule in document.decision.rules}
    assert actions == {
        "retrain-1": "SCHEDULE_RETRAINING",
        "look-1": "INVESTIGATE",
        "silence": "INVESTIGATE",
    }
    drift_only = parse(fit_policy({"psi": history["psi"]}, {"psi": defined("psi", "drift")}))
    assert drift_only.planning is None


def test_the_order_of_the_history_does_not_matter() -> None:
    readings = weekly([n * 10**6 for n in range(50)])
    known = {"loss": defined("loss")}
    assert fit_policy({"loss": readings}, known) == fit_policy({"loss": readings[::-1]}, known)


def test_a_known_gap_takes_the_place_of_the_measured_one() -> None:
    readings = [(10**8, START + hour * 3_600_000_000, 5) for hour in range(40)]
    known = {"loss": defined("loss")}
    measured = parse(fit_policy({"loss": readings}, known)).scoring.signals[0]
    given_ = parse(fit_policy({"loss": readings}, known, {"loss": 86_400})).scoring.signals[0]
    assert (measured.bucket_seconds, given_.bucket_seconds) == (3_600, 86_400)


def test_too_little_history_is_refused_and_says_what_is_missing() -> None:
    with pytest.raises(LedgerError, match="observations: 29 of 30, different times: 29 of 5") as e:
        fit_policy({"loss": weekly([1] * (OBSERVATIONS_MIN - 1))}, {"loss": defined("loss")})
    assert e.value.reason is Reason.FIELD_INVALID
    with pytest.raises(LedgerError, match="no observation of a defined signal"):
        fit_policy({"loss": weekly([1] * 99)}, {})


def test_signals_with_too_little_history_are_named_and_left_out() -> None:
    history = {"loss": weekly([10**8] * 40), "psi": weekly([1])}
    text = fit_policy(history, {"loss": defined("loss"), "psi": defined("psi", "drift")})
    assert "# Left out for too little history: psi " in text
    assert [rule.signal for rule in parse(text).scoring.signals] == ["loss"]


nanos = st.integers(1 - NANO_LIMIT, NANO_LIMIT - 1) | st.integers(-5, 5)


@given(
    st.lists(
        st.tuples(nanos, st.integers(0, 2 * START), st.integers(1, 10**12)),
        min_size=OBSERVATIONS_MIN,
        max_size=60,
        unique_by=lambda reading: reading[1],
    ),
    st.sampled_from(KINDS),
    st.sampled_from(["higher_is_worse", "lower_is_worse"]),
)
def test_a_fitted_policy_lints_clean_whatever_the_history(
    readings: list[Reading], kind: str, direction: str
) -> None:
    known = {"s": defined("s", kind, direction)}
    result = lint(fit_policy({"s": readings}, known), LintFleet(known))
    assert result.problems == ()
    assert result.document is not None


def test_many_signals_stay_within_the_limits_of_a_policy() -> None:
    names = [f"signal-{n:03d}" for n in range(120)]
    history = {name: weekly([10**8] * 30) for name in names}
    known = {name: defined(name, KINDS[n % 7]) for n, name in enumerate(names)}
    result = lint(fit_policy(history, known), LintFleet(known))
    assert result.problems == ()
    assert result.document is not None
    assert len(result.document.scoring.signals) == 100


def test_a_first_policy_comes_from_stated_limits_and_lints_clean() -> None:
    limits = {"loss": (400_000_000, 600_000_000), "auc": (900_000_000, 700_000_000)}
    known = {"loss": defined("loss"), "auc": defined("auc", direction="lower_is_worse")}
    text = first_policy(limits, known, 86_400)
    document = parse(text)
    assert {rule.signal: (rule.baseline, rule.critical) for rule in document.scoring.signals} == {
        "auc": ("0.9", "0.7"),
        "loss": ("0.4", "0.6"),
    }
    assert document.planning is not None
    assert document.planning.loss_signal == "loss"
    assert lint(text, LintFleet(known)).problems == ()
    assert "0.4 is healthy, 0.6 must not be" in text


@pytest.mark.parametrize("limits", [(600_000_000, 400_000_000), (400_000_000, 400_000_000)])
def test_a_critical_on_the_healthy_side_begins_no_policy(limits: tuple[int, int]) -> None:
    with pytest.raises(LedgerError) as caught:
        first_policy({"loss": limits}, {"loss": defined("loss")}, 86_400)
    assert "critical of loss" in caught.value.message
    assert "higher is worse" in caught.value.message


def test_a_first_policy_asks_for_an_approval_of_the_next_one_where_it_is_told_that_it_can() -> None:
    limits, known = {"loss": (400_000_000, 600_000_000)}, {"loss": defined("loss")}
    asking = parse(first_policy(limits, known, 86_400, is_approved=True)).model_dump()
    assert asking["governance"]["approvals"] == [{"role": "policy-approver", "count": 1}]
    text = first_policy(limits, known, 86_400)
    assert parse(text).model_dump()["governance"]["approvals"] == []
    assert "The next version takes no approval. Once persons hold the role" in text

"""A standard signal is adopted with its meaning; a definition has an owner and counted versions.

Method: one ledger; a signal is adopted, changed in words, turned round, and put under a policy.
"""

import pytest

from ledger.application.policies.fit import fit_policy
from ledger.application.policies.fleet_lint import LintFleet
from ledger.application.policies.lint import lint
from ledger.application.policies.starting_policy import first_policy
from ledger.application.policies.text import parse
from ledger.errors import LedgerError, Reason
from ledger.events.signals import SignalDefined, SignalDefinedV2, StandardPart
from ledger.events.standard_signals import StandardSignal, standard
from tests.support.world import ANA, EVERYWHERE, World, policy_text, reason_of, signal_rule


def entry_of(name: str) -> StandardSignal:
    found = standard(name)
    assert found is not None
    return found


def described(name: str, **changes: str) -> SignalDefined:
    entry = entry_of(name)
    said = {one: getattr(entry, one) for one in ("kind", "unit", "direction", "meaning")}
    return SignalDefined(**{"signal": name, "collection": "", **said, **changes})  # type: ignore[arg-type]


def adopt(world: World, name: str = "psi", owner: str = "", **changes: str) -> SignalDefinedV2:
    entry = entry_of(name)
    adopted = StandardPart(name=entry.name, version=entry.version)
    world.ledger.definitions.define(ANA, described(name, **changes), owner=owner, standard=adopted)
    return owned(world, name)


def owned(world: World, name: str) -> SignalDefinedV2:
    view = world.ledger.fleet.signal(name)
    assert view is not None
    assert isinstance(view.defined, SignalDefinedV2)
    return view.defined


def version(world: World, name: str) -> int:
    view = world.ledger.fleet.signal(name)
    assert view is not None
    return view.version


def test_an_adopted_signal_names_its_standard_and_is_owned_by_its_caller(world: World) -> None:
    defined = adopt(world)
    assert (defined.owner, defined.TYPE) == ("users/ana", "signal.defined.v2")
    assert defined.standard == StandardPart(name="psi", version=1)
    assert version(world, "psi") == 1


def test_an_owner_stays_until_another_is_stated_and_versions_are_counted(world: World) -> None:
    adopt(world, owner="risk")
    world.ledger.definitions.define(ANA, described("psi", meaning="said better"))
    assert owned(world, "psi").owner == "risk"
    assert owned(world, "psi").standard is None
    world.ledger.definitions.define(ANA, described("psi"), owner="growth")
    assert owned(world, "psi").owner == "growth"
    assert version(world, "psi") == 3
    world.restart()
    assert version(world, "psi") == 3


def test_a_definition_without_owner_or_standard_is_recorded_as_it_always_was(world: World) -> None:
    world.ledger.definitions.define(ANA, described("psi"))
    view = world.ledger.fleet.signal("psi")
    assert view is not None
    assert view.defined is not None
    assert view.defined.TYPE == "signal.defined.v1"


@pytest.mark.parametrize(
    "change", [{"direction": "lower_is_worse"}, {"unit": "bits"}, {"kind": "custom"}]
)
def test_what_a_policy_in_force_rests_on_is_pinned_in_definitions_with_an_owner_too(
    world: World, change: dict[str, str]
) -> None:
    world.begin("m1")
    adopt(world)
    world.activate(policy_text(signals=[signal_rule(), signal_rule("psi")]))
    head = world.head
    with pytest.raises(LedgerError) as error:
        world.ledger.definitions.define(ANA, described("psi", **change), owner="risk")
    assert reason_of(error) is Reason.MEANING_PINNED
    assert world.head == head
    adopt(world, owner="risk", meaning="said better")


def test_a_version_from_before_a_change_of_meaning_does_not_come_into_force_silently(
    world: World,
) -> None:
    world.begin("m1")
    adopt(world)
    drafted = world.draft(policy_text(signals=[signal_rule("psi")]), "other")
    world.ledger.definitions.define(ANA, described("psi", unit="bits"), owner="risk")
    with pytest.raises(LedgerError) as error:
        world.ledger.commands.activate_policy(
            ANA, "other", drafted.version, drafted.digest, EVERYWHERE, "go"
        )
    assert reason_of(error) is Reason.MEANING_PINNED


def definition(name: str, signal: str = "") -> SignalDefinedV2:
    adopted = StandardPart(name=name, version=entry_of(name).version)
    plain = described(name, signal=signal or name)
    return SignalDefinedV2(**dict(plain), owner="team", standard=adopted)


def test_a_first_policy_takes_the_hints_of_standards_where_there_is_no_history() -> None:
    known: dict[str, SignalDefined] = {one: definition(one) for one in ("psi", "relative-rmse")}
    text = fit_policy({}, known)
    rules = {rule.signal: rule for rule in parse(text).scoring.signals}
    assert (rules["psi"].baseline, rules["psi"].critical) == ("0.05", "0.25")
    assert "the hints of the standard psi, version 1" in str(rules["psi"].rationale)
    assert not lint(text, LintFleet(known)).problems
    assert "psi: by the hints of the standard that it adopts." in text


def test_history_wins_over_hints_signal_by_signal() -> None:
    day = 86_400 * 1_000_000
    seen = [(400_000_000 + step * 1_000_000, 20_000 * day + step * day, 100) for step in range(40)]
    known: dict[str, SignalDefined] = {one: definition(one) for one in ("psi", "log-loss")}
    rules = {
        one.signal: one for one in parse(fit_policy({"log-loss": seen}, known)).scoring.signals
    }
    assert "From 40 observations" in str(rules["log-loss"].rationale)
    assert "hints of the standard" in str(rules["psi"].rationale)


def test_an_estimate_weighs_half_and_schedules_nothing_by_itself() -> None:
    names = ("relative-mae", "relative-mae-estimated")
    known: dict[str, SignalDefined] = {one: definition(one) for one in names}
    policy = parse(first_policy(dict.fromkeys(names), known, 86_400))
    weights = {rule.signal: rule.weight_ppm for rule in policy.scoring.signals}
    assert weights["relative-mae-estimated"] * 2 == weights["relative-mae"]
    actions = {rule.when.split('"')[1]: rule.action for rule in policy.decision.rules[:2]}
    assert actions["relative-mae"] == "SCHEDULE_RETRAINING"
    assert actions["relative-mae-estimated"] == "INVESTIGATE"
    assert policy.planning is not None
    assert policy.planning.loss_signal == "relative-mae"


def test_a_standard_without_hints_is_refused_with_what_to_state() -> None:
    with pytest.raises(LedgerError) as error:
        first_policy({"accuracy": None}, {"accuracy": definition("accuracy")}, 86_400)
    assert reason_of(error) is Reason.FIELD_INVALID
    assert "--signal accuracy --baseline HEALTHY" in error.value.remedy

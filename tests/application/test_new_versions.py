"""A version whose first report is not due yet calls no person; one that stays silent does.

Goal: so it is under every policy that the project shows or writes. Method: each of them in force on
a ledger of its own, over a model that never reports, evaluated five hours and two months after its
version went into service.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.application.policies.fit import fit_policy
from ledger.application.policies.starting_policy import first_policy
from ledger.application.policies.text import parse
from ledger.events.values import parse_decimal
from tests.support.pages import DOCS, block
from tests.support.world import ANA, DAY, HOUR, START, World, defined

ROOT = Path(__file__).parents[2]
LOSS = {"log-loss": defined("log-loss")}


def of_the_pages() -> str:
    return block(DOCS / "walk.md", "policy.yaml")


def of_the_demo() -> str:
    return (ROOT / "tools" / "demo" / "policy.yaml").read_text("utf-8")


def fitted() -> str:
    history = [(400_000_000 + day, START + day * DAY, 100) for day in range(60)]
    return fit_policy({"log-loss": history}, LOSS)


def from_stated_limits() -> str:
    return first_policy({"log-loss": (400_000_000, 600_000_000)}, LOSS, 24 * 3_600)


@pytest.mark.parametrize("text_of", [of_the_pages, of_the_demo, fitted, from_stated_limits])
def test_a_version_whose_first_report_is_not_due_calls_no_person(
    world: World, text_of: Callable[[], str]
) -> None:
    text = text_of()
    document = parse(text)
    limits = {
        rule.signal: parse_decimal(rule.critical) > parse_decimal(rule.baseline)
        for rule in document.scoring.signals
    }
    if document.planning is not None:
        limits.setdefault(document.planning.loss_signal, True)
    for signal, is_higher_worse in limits.items():
        direction = "higher_is_worse" if is_higher_worse else "lower_is_worse"
        world.ledger.definitions.define(
            ANA, defined(signal).model_copy(update={"direction": direction})
        )
    for model in ("new", "other"):
        world.register(model)
        world.deploy(model, "v1", at=START)
    world.activate(text)
    actions = []
    for at in (START + 5 * HOUR, START + 30 * DAY, START + 60 * DAY):
        world.observe(("other", next(iter(limits)), "", "0.5", at, 1))
        (made,) = world.evaluate("new")
        actions.append(made.decision.action)
    assert actions[0] == "NO_ACTION"
    assert actions[-1] == "INVESTIGATE"
    world.check_replay()

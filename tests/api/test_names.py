"""Names that are nearly right: goal: a caller that misspells one is told the one that was meant.

Method: every kind of name misspelt, in every call that takes it; one near nothing; a long one.
"""

from collections.abc import Callable
from typing import Any

import pytest

from ledger.application.names import nearest
from ledger.client import LedgerClient, UnknownNameError
from ledger.client.policy_scopes import PolicyScope
from ledger.client.records import Model
from tests.support.served import START, Served

AT = START * 1_000_000

CALLS: dict[str, tuple[str, Callable[[LedgerClient], Any]]] = {
    "a model observed": ("fares", lambda c: c.submit([("faers", "log-loss", 0.5, AT)])),
    "a signal observed": ("log-loss", lambda c: c.submit([("fares", "log-los", 0.5, AT)])),
    "a model read": ("fares", lambda c: c.get_model("fare")),
    "a model retired": ("fares", lambda c: c.retire_model("fares1", "over")),
    "a model evaluated": ("fares", lambda c: c.evaluate(["farse"])),
    "a model's states": ("fares", lambda c: c.list_signal_states(model="fare")),
    "a model's decisions": ("fares", lambda c: list(c.list_decisions("fare"))),
    "a policy read": ("default", lambda c: c.get_policy("defualt")),
    "a policy activated": (
        "default",
        lambda c: c.activate_policy("defaults", 1, scope=PolicyScope(), rationale="x"),
    ),
    "a policy planned by": ("default", lambda c: c.make_plan(1, policy="defalt")),
    "a signal promised": (
        "log-loss",
        lambda c: c.register_model(
            Model("new", owner="o", unit_value_micros=1, cost_micros=1, slo_signal="log-lss")
        ),
    ),
    "a plan": ("first-of-march", lambda c: c.get_plan("first-of-mrach")),
}


@pytest.fixture
def client(served: Served) -> Any:  # noqa: ANN401 - a generator of clients
    with LedgerClient(served.server.address, actor="users/ana") as made:
        yield made


@pytest.mark.parametrize("name", CALLS)
def test_a_misspelt_name_is_answered_with_the_nearest_known_one(
    client: LedgerClient, name: str
) -> None:
    meant, call = CALLS[name]
    if name == "a plan":
        client.make_plan(1_000_000, plan=meant)
    with pytest.raises(UnknownNameError) as caught:
        call(client)
    assert f"id you mean {meant!r}?" in str(caught.value)


def test_a_name_near_nothing_is_answered_without_a_guess(client: LedgerClient) -> None:
    with pytest.raises(UnknownNameError) as caught:
        client.get_model("zzzz")
    assert "mean" not in str(caught.value)


def test_what_is_compared_is_bounded() -> None:
    names = [f"model-{number}" for number in range(100_000)]
    assert nearest("model-7x", iter(names)).startswith("model-7")
    assert nearest("m" * 10_000, names) == ""

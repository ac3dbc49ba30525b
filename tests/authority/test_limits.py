"""Limits of an actor are set by those who may, and the last ones set hold.

Method: a state of authority folded from events, asked whether one more may follow; the auditor asks
the same function.
"""

from typing import Any

from ledger.authority.changes import change_fault
from ledger.authority.state import AuthorityState
from ledger.events.authority import OPERATOR, ActorRegistered, AdministratorNamed, LimitsSet
from ledger.limits import ActorLimits

ANA, EVE = "users/ana", "users/eve"


def begun() -> AuthorityState:
    """Return a state in which ana is the administrator and eve an actor without a grant."""
    state = AuthorityState()
    named = {"actor": ANA, "person": "staff-1", "identities": [], "reason": "It begins."}
    state.apply(3, AdministratorNamed.TYPE, OPERATOR, named)
    eve = {"actor": EVE, "person": "staff-2", "meaning": ""}
    state.apply(4, ActorRegistered.TYPE, ANA, eve)
    return state


def limits(actor: str = EVE, **stated: int) -> dict[str, Any]:
    """Return the data of an event that sets limits."""
    none = dict.fromkeys(ActorLimits.__slots__)
    return LimitsSet.from_data({"actor": actor, "reason": "Work.", **none, **stated}).to_data()


def fault(state: AuthorityState, by: str, data: dict[str, Any]) -> str:
    """Return why an actor cannot set limits."""
    return change_fault(state, 9, LimitsSet.TYPE, by, data, 0)


def test_limits_are_set_by_those_with_the_action_and_for_registered_actors_alone() -> None:
    state = begun()
    assert fault(state, ANA, limits()) == ""
    assert fault(state, EVE, limits()) == "users/eve lacks the action limits.set"
    assert fault(state, ANA, limits("users/max")) == "users/max is not registered"
    assert "not in force" in fault(AuthorityState(), ANA, limits())


def test_the_last_limits_take_the_place_of_all_before_and_a_copy_goes_its_own_way() -> None:
    state = begun()
    state.apply(5, LimitsSet.TYPE, ANA, limits(streams=1, calls_per_second=2))
    before = state.copy()
    state.apply(6, LimitsSet.TYPE, ANA, limits(waits=3))
    assert state.limits == {EVE: ActorLimits(None, None, None, None, 3)}
    assert before.limits == {EVE: ActorLimits(2, None, None, 1, None)}

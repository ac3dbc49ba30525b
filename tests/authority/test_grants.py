"""The grants of one actor are found without a look at anyone else's, and are those in force.

Method: many histories of grants and withdrawals, folded; the answers are compared with a scan of
the list of all grants, which itself is out of reach of the state while it answers.
"""

from typing import Any, Final, NoReturn

from hypothesis import given
from hypothesis import strategies as st

from ledger.authority.state import AuthorityState, Grant
from ledger.authority.table import ADMINISTRATOR
from ledger.events.authority import (
    OPERATOR,
    ActorRegistered,
    AdministratorNamed,
    GrantWithdrawn,
    RoleGranted,
)

ACTORS: Final = [f"users/u{number}" for number in range(6)]
EXPIRES: Final = "2026-03-01T00:00:00.000000Z"
BEFORE, AFTER = 0, 2**60


class OutOfReach(dict[int, Grant]):
    """Grants by position that can be looked up, and not walked through."""

    def walked(self) -> NoReturn:
        """Refuse to be walked through."""
        raise AssertionError("all grants were walked through for one actor's")

    values = items = keys = __iter__ = walked


def begun() -> AuthorityState:
    """Return a state with six actors, two of one person; the first is the administrator."""
    state = AuthorityState()
    named = {"actor": ACTORS[0], "person": "staff-0", "identities": [], "reason": "It begins."}
    state.apply(3, AdministratorNamed.TYPE, OPERATOR, named)
    for number, actor in enumerate(ACTORS[1:]):
        data = {"actor": actor, "person": f"staff-{number}", "meaning": ""}
        state.apply(4 + number, ActorRegistered.TYPE, ACTORS[0], data)
    return state


def granted(actor: str, role: str, *, expires: bool) -> dict[str, Any]:
    """Return the data of an event that grants a role for the whole ledger."""
    return {
        "actor": actor,
        "role": role,
        "scope": {"labels": {}, "models": [], "signals": []},
        "expires_at": EXPIRES if expires else None,
        "reason": "Work.",
        "proposal": None,
    }


def check(state: AuthorityState) -> None:
    """Compare what a state answers with a scan of all its grants."""
    grants = list(state.grants.values())
    asked = state.copy()
    asked.grants = OutOfReach(state.grants)
    for actor in ACTORS:
        own = [one for one in grants if one.actor == actor]
        for at in (BEFORE, AFTER):
            in_force = [one for one in own if one.is_in_force(at)]
            assert asked.held(actor, at) == in_force
            reading = [one.scope for one in in_force if "fleet.read" in state.roles[one.role]]
            assert asked.scopes(actor, "fleet.read", at) == reading
        assert asked.is_administrator(actor) == any(one.role == ADMINISTRATOR for one in own)
    persons = {state.persons[one.actor] for one in grants if one.role == ADMINISTRATOR}
    assert asked.administrators() == persons


STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(ACTORS), st.sampled_from([ADMINISTRATOR, "viewer", "monitor"])),
        st.tuples(st.just(""), st.integers(0, 9)),
    ),
    max_size=12,
)
"""Whom which role is granted, or the how-manieth grant is withdrawn."""


@given(STEPS)
def test_one_actors_grants_are_found_without_a_look_at_all_and_equal_a_scan_of_all(
    steps: list[tuple[str, str | int]],
) -> None:
    state = begun()
    for position, (actor, what) in enumerate(steps, start=20):
        if isinstance(what, int):
            places = [*state.grants, 7]  # position 7 holds no grant
            gone = {"grant": places[what % len(places)]}
            state.apply(position, GrantWithdrawn.TYPE, ACTORS[0], gone)
        else:
            data = granted(actor, what, expires=what != ADMINISTRATOR)
            state.apply(position, RoleGranted.TYPE, ACTORS[0], data)
        check(state)


def test_a_copy_keeps_its_grants_when_the_state_that_it_was_made_of_goes_on() -> None:
    state = begun()
    state.apply(20, RoleGranted.TYPE, ACTORS[0], granted(ACTORS[1], "viewer", expires=False))
    before = state.copy()
    state.apply(21, RoleGranted.TYPE, ACTORS[0], granted(ACTORS[1], ADMINISTRATOR, expires=False))
    state.apply(22, GrantWithdrawn.TYPE, ACTORS[0], {"grant": 20})
    assert [one.position for one in before.held(ACTORS[1], BEFORE)] == [20]
    assert not before.is_administrator(ACTORS[1])
    assert [one.position for one in state.held(ACTORS[1], BEFORE)] == [21]

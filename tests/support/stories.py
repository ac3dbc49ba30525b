"""Whole ledgers drawn by hypothesis: a small fleet through everything that can happen to it."""

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

from ledger.events.policy_document import Action
from ledger.events.signals import OBSERVED_TYPES, SignalObservedV2
from ledger.events.values import format_decimal
from tests.support.builders import HOUR, START, Story, signal_score

MODELS: Final = ("alpha", "beta", "gamma")
SIGNALS: Final = ("drift", "log_loss")
ACTIONS: Final[tuple[Action, ...]] = ("NO_ACTION", "INVESTIGATE", "SCHEDULE_RETRAINING")

Step = Callable[[Story], object]

_MODEL: Final = st.sampled_from(MODELS)
_VERSION: Final = st.sampled_from(["v1", "v2"])
_FEW_PPM: Final = st.sampled_from([0, 250_000, 250_001, 1_000_000])


def _registered(model: str, owner: str) -> Step:
    return lambda story: story.registered(model, owner=owner)


def _updated(model: str, owner: str) -> Step:
    return lambda story: story.updated(model, owner=owner)


def _deployed(model: str, version: str) -> Step:
    return lambda story: story.deployed(model, version)


def _observed(model: str, signal: str, nano: int, hour: int, version: str) -> Step:
    return lambda story: story.observed(
        model, signal, nano, at=START + hour * HOUR, version=version
    )


def _corrected(place: int, nano: int) -> Step:
    return lambda story: correct(story, place, nano)


def correct(story: Story, place: int, nano: int) -> None:
    """Have a monitor correct one of the observations there are, if it was not corrected before."""
    seen = [event for event in story.events if event.type in OBSERVED_TYPES]
    replaced = {event.data["corrects"]["position"] for event in seen if event.data.get("corrects")}
    if not seen or seen[place % len(seen)].position in replaced:
        return
    target = seen[place % len(seen)]
    first = (target.data.get("corrects") or {}).get("first", target.position)
    more: dict[str, Any] = {"estimated": False, "indicators": {}, "raw": None, "report": None}
    more |= {"corrects": {"position": target.position, "first": first}}
    data = SignalObservedV2.from_data(target.data | more | {"value": format_decimal(nano)})
    at, actor = target.observed_at, target.body.actor
    story.write(target.stream, data, actor=actor, observed_at=at)


def _scored(model: str, priority: int, signals: list[str], streak: int, *, past: bool) -> Step:
    parts = [
        signal_score(signal, observations=streak, streak=streak, share=1_000_000 // len(signals))
        for signal in signals
    ]
    return lambda story: story.scored(model, priority, parts, historical=past)


def _decided(model: str, action: Action, *, past: bool) -> Step:
    return lambda story: story.decided(model, action, run_id="runs/r1", historical=past)


def _planned(plan: str, models: list[str]) -> Step:
    return lambda story: story.planned(plan, models)


def _foreign() -> Step:
    return lambda story: story.raw("recorder/x", "weather.reported.v1", b"{}")


def _retired(model: str) -> Step:
    return lambda story: story.retired(model)


STEPS: Final[st.SearchStrategy[Step]] = st.one_of(
    st.builds(_registered, _MODEL, st.sampled_from(["ann", "bob"])),
    st.builds(_updated, _MODEL, st.sampled_from(["ann", "bob"])),
    st.builds(_deployed, _MODEL, _VERSION),
    st.builds(
        _observed,
        _MODEL,
        st.sampled_from(SIGNALS),
        st.integers(-(10**21) + 1, 10**21 - 1),
        st.integers(0, 5),
        _VERSION,
    ),
    st.builds(_corrected, st.integers(-4, 20), st.integers(-(10**20), 10**20)),
    st.builds(
        _scored,
        _MODEL,
        _FEW_PPM,
        st.lists(st.sampled_from(SIGNALS), min_size=1, unique=True),
        st.integers(0, 2),
        past=st.booleans(),
    ),
    st.builds(_decided, _MODEL, st.sampled_from(ACTIONS), past=st.booleans()),
    st.builds(_planned, st.sampled_from(["w1", "w2"]), st.lists(_MODEL, unique=True)),
    st.builds(_foreign),
    st.builds(_retired, st.just(MODELS[0])),
)


def told(steps: list[Step]) -> Story:
    """Return the story of a begun ledger and these steps."""
    story = Story().begin()
    for step in steps:
        step(story)
    return story


STORIES: Final[st.SearchStrategy[Story]] = st.lists(STEPS, max_size=40).map(told)

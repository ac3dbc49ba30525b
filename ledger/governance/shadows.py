"""Shadows: the policies that run beside those in force, folded from events in order.

`begin_fault` and `end_fault` say whether an event may be. Times are microseconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ledger.events.cases import GOVERNOR
from ledger.events.notation import shown_time
from ledger.events.shadows import PolicyShadowed
from ledger.events.values import parse_time
from ledger.limits import SHADOWS_MAX


class Shadow(NamedTuple):
    """A policy version that runs in shadow on a scope."""

    position: int
    policy: str
    version: int
    digest: str
    scope: Mapping[str, Any]
    until: int

    @property
    def reference(self) -> tuple[str, int, str]:
        """The version as drafts, scores and decisions name it."""
        return self.policy, self.version, self.digest


@dataclass(frozen=True, slots=True)
class Shadows:
    """The shadows in order of position; a value."""

    running: Mapping[int, Shadow] = field(default_factory=dict)
    begun: Mapping[int, Shadow] = field(default_factory=dict)
    """Those that ever began, also where they ended."""

    def applied(
        self, position: int, stream: str, type_: str, data: Mapping[str, Any] | None
    ) -> "Shadows":
        """Return those that run after an event that begins or ends one; None: it is erased."""
        if type_ == PolicyShadowed.TYPE:
            if data is None:
                return self
            begun = Shadow(
                position, data["policy"], data["version"], data["digest"], data["scope"],
                parse_time(data["until"]),
            )  # fmt: skip
            return Shadows({**self.running, position: begun}, {**self.begun, position: begun})
        policy = stream.partition("/")[2]
        left = {
            at: one
            for at, one in self.running.items()
            if (at != data["shadow"] if data is not None else one.policy != policy)
        }
        return Shadows(left, self.begun)

    def for_model(self, model: str, labels: Mapping[str, str]) -> list[Shadow]:
        """Return those whose scope has a model, in order of position."""
        return [one for one in self.running.values() if is_for(one.scope, model, labels)]


def is_for(scope: Mapping[str, Any], model: str, labels: Mapping[str, str]) -> bool:
    """Whether a scope has a model with these labels."""
    if scope["kind"] == "model":
        return bool(scope["model"] == model)
    wanted: Mapping[str, str] = scope["labels"]
    return scope["kind"] == "ledger" or all(labels.get(k) == v for k, v in wanted.items())


def begin_fault(shadows: Shadows, data: Mapping[str, Any], now: int) -> str:
    """Return why a shadow cannot begin; empty where it can."""
    if parse_time(data["until"]) <= now:
        return f"it would end at {shown_time(data['until'])}, which is past"
    for one in shadows.running.values():
        if one.scope == data["scope"]:
            return (
                f"the shadow of position {one.position}, policy {one.policy} version "
                f"{one.version}, runs on that scope"
            )
    if len(shadows.running) >= SHADOWS_MAX:
        return f"{len(shadows.running)} shadows run, and {SHADOWS_MAX} may"
    return ""


def end_fault(shadows: Shadows, data: Mapping[str, Any], actor: str, now: int) -> str:
    """Return why a shadow cannot end so; empty where it can."""
    one = shadows.running.get(data["shadow"])
    if one is None or one.policy != data["policy"]:
        return f"no shadow of policy {data['policy']} began at position {data['shadow']} and runs"
    if (data["ground"] == "asked") == (actor == GOVERNOR):
        return f"{actor} cannot end it on the ground {data['ground']}"
    if data["ground"] == "time" and one.until > now:
        return "its time is not over"
    return ""


def promotion_fault(shadows: Shadows, shadow: int, data: Mapping[str, Any]) -> str:
    """Return why a step of a version cannot start from a shadow; empty where it can."""
    one = shadows.begun.get(shadow)
    if one is None:
        return f"no shadow began at position {shadow}"
    if (data["policy"], data["version"], data["digest"]) != one.reference:
        return f"the shadow of position {shadow} runs {one.policy} version {one.version}"
    if data["scope"] != one.scope:
        return f"the shadow of position {shadow} runs on another scope"
    return ""


def came_into_force(one: Shadow, activated: Mapping[str, Any]) -> bool:
    """Whether an activation brings a shadow's version into force for its very scope."""
    named = activated["policy"], activated["version"], activated["digest"]
    return named == one.reference and activated["scope"] == one.scope

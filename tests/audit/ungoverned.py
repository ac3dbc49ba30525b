"""Forgeries of governance: steps in the life of a policy that may not be taken."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

from ledger.audit.parameters import digest_of
from ledger.events.values import format_time, parse_time
from tests.audit.left_out import say_that_all_was_governed
from tests.audit.paper import Paper
from tests.support.world import HOUR, START

EVERYWHERE: Final[dict[str, Any]] = {"kind": "ledger", "model": None, "labels": {}}


def version_of(paper: Paper, policy: str = "main", version: int = 1) -> dict[str, Any]:
    """Return a version as events name it, with its digest."""
    for drafted in ("policy.drafted.v2", "policy.drafted.v3"):
        for found in paper.find(drafted, policy=policy, version=version):
            data = paper.at(found).data
            return {"policy": policy, "version": version, "digest": data["digest"]}
    raise AssertionError(f"{policy} has no version {version}")


def submit(paper: Paper, actor: str, named: dict[str, Any], **changes: object) -> int:
    """Submit a version for the whole ledger."""
    data = named | {"scope": EVERYWHERE, "rationale": "x"} | changes
    return paper.append(f"policies/{named['policy']}", "policy.submitted.v1", data, actor=actor)


def activate(
    paper: Paper, actor: str, named: dict[str, Any], replaces: int | None, **changes: object
) -> int:
    """Put a version in force for the whole ledger."""
    data = named | {
        "scope": EVERYWHERE, "rationale": "x", "basis": "approved", "approvals": [],
        "replaces": replaces, "scheduled": None, "ratify_until": None,
    } | changes  # fmt: skip
    return paper.append(f"policies/{named['policy']}", "policy.activated.v2", data, actor=actor)


def submit_where_no_role_is_held(paper: Paper) -> int:
    return submit(paper, "users/ana", version_of(paper))


def replace_what_was_not_in_force(paper: Paper) -> int:
    return activate(paper, "users/ana", version_of(paper), None)


def let_a_time_pass(paper: Paper) -> int:
    named, at = version_of(paper), format_time(paper.events[-1].recorded_at + HOUR // 60)
    data = named | {
        "scope": EVERYWHERE, "rationale": "x", "approvals": [], "effective_time": at,
    }  # fmt: skip
    position = paper.append("policies/main", "policy.scheduled.v1", data, actor="users/ana")
    seen = paper.at(paper.find("signal.observed.v1")[-1])
    data = seen.data | {"observed_at": at}
    paper.append(seen.stream, seen.type, data, actor="services/monitor", at=parse_time(at))
    say_that_all_was_governed(paper)
    return position


def remind_of_no_review(paper: Paper) -> int:
    activation = max(paper.find("policy.activated.v1", policy="main", version=1))
    data = {
        "policy": "main", "version": 1, "scope": paper.at(activation).data["scope"],
        "activation": activation, "review": None,
        "due_at": format_time(START + HOUR), "reminder": 0,
    }  # fmt: skip
    return paper.append(
        "policies/main", "policy.review_due.v1", data,
        actor="system/governor", causation_position=activation,
    )  # fmt: skip


def sign_ones_own_review(paper: Paper) -> int:
    named = version_of(paper)
    activation = max(paper.find("policy.activated.v1", policy="main", version=1))
    data = named | {
        "scope": paper.at(activation).data["scope"], "activation": activation, "review": None,
        "as_of": activation, "pack": "00" * 32, "role": None, "meaning": "reviewed",
        "outcome": "kept", "follow_up": None, "reason": "x",
    }  # fmt: skip
    return paper.append("policies/main", "policy.reviewed.v1", data, actor="users/ana")


def cross_the_labels_in_force(paper: Paper) -> int:
    """Put a version in force for two labels of one model, each by itself."""
    labels = {"region": "east", "tier": "gold"}
    described = paper.at(paper.find("model.registered.v1")[0]).data
    data = described | {"model": "crossed", "labels": labels}
    paper.append("models/crossed", "model.registered.v1", data)
    (drafted, *_) = (
        event.data
        for event in paper.events
        if event.type.startswith("policy.drafted")
        and event.data["document"]["format"] != "policy/1"
    )
    named = {one: drafted[one] for one in ("policy", "version", "digest")}
    for name, value in labels.items():
        scope = {"kind": "labels", "model": None, "labels": {name: value}}
        data = named | {"scope": scope, "rationale": "x"}
        paper.append(f"policies/{named['policy']}", "policy.activated.v1", data)
    return len(paper.events)


def draft(paper: Paper, change: Callable[[dict[str, Any]], object], **members: Any) -> int:  # noqa: ANN401 - as `Paper.append`
    """Draft the next version of a policy of format policy/2, with a change of its document."""
    drafted = paper.at(paper.find("policy.drafted.v3")[-1]).data
    policy, document = drafted["policy"], deepcopy(drafted["document"])
    change(document)
    versions = [
        paper.at(at).data["version"] for at in paper.find("policy.drafted.v3", policy=policy)
    ]
    data = drafted | {
        "version": max(versions) + 1, "document": document, "digest": digest_of(document),
    }  # fmt: skip
    return paper.append(f"policies/{policy}", "policy.drafted.v3", data, **members)


def draft_a_breach_at_nothing(paper: Paper) -> int:
    def change(document: dict[str, Any]) -> None:
        document["scoring"]["signals"][0]["breach_ppm"] = 0

    return draft(paper, change)


def draft_over_a_signal_that_nobody_defined(paper: Paper) -> int:
    def change(document: dict[str, Any]) -> None:
        document["scoring"]["signals"][0]["signal"] = "unheard-of"
        document["decision"]["rules"] = []

    return draft(paper, change)


UNGOVERNED: Final[dict[str, Callable[[Paper], int]]] = {
    "policies.steps": submit_where_no_role_is_held,
    "policies.approved": replace_what_was_not_in_force,
    "policies.overlaps": cross_the_labels_in_force,
    "policies.sound": draft_a_breach_at_nothing,
    "policies.grounds": draft_over_a_signal_that_nobody_defined,
    "policies.terms": let_a_time_pass,
    "reviews.due": remind_of_no_review,
    "reviews.signed": sign_ones_own_review,
}

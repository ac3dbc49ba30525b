"""What was so at a position, by plain folds that share no code with the product.

Each is written from the pages (`ledger/docs/approvals.md`, `ledger/docs/cases.md`) over the plain
data of events, one after the other. They are slow and short, so that a reader can check them.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from ledger.events.envelope import RecordedEvent
from ledger.events.values import parse_time

Scope = tuple[str, str, frozenset[tuple[str, str]]]
Named = tuple[str, int]
Lacking = dict[tuple[str, int, str], tuple[int, int, tuple[str, ...]]]
"""By (policy, version, role): how many approvals are asked for, given, and who could give one."""

_RANK: Final = ("ledger", "labels", "model")


def scope_of(data: Mapping[str, Any]) -> Scope:
    """Return a scope as it is compared."""
    return data["kind"], data["model"] or "", frozenset(data["labels"].items())


def noun_of(event: RecordedEvent) -> str:
    """Return an event's type without its version."""
    return event.type.rpartition(".")[0]


def named(data: Mapping[str, Any]) -> Named:
    """Return the version of a policy that an event is about."""
    return data["policy"], data["version"]


class Fleet:
    """The models that are there, with their labels, and what was last scored and decided."""

    def __init__(self) -> None:
        self.labels: dict[str, dict[str, str]] = {}
        self._shown: dict[str, dict[str, Any]] = {}
        self._plan: list[dict[str, Any]] = []

    def take(self, event: RecordedEvent) -> None:
        """Take in one more event."""
        noun, model = noun_of(event), event.stream.removeprefix("models/")
        if noun in ("model.registered", "model.updated"):
            self.labels[model] = event.data["labels"]
            self._shown.setdefault(model, {})
        elif noun == "model.retired":
            del self._shown[model]
        elif noun == "model.deployed":
            self._shown[model]["version"] = event.data["model_version"]
        elif noun == "score.computed" and not event.data["historical"]:
            self._shown[model]["priority"] = event.data["priority"]
            self._shown[model]["policy"] = event.data["policy"], event.data["policy_version"]
        elif noun == "decision.made" and not event.data["historical"]:
            self._shown[model]["action"] = event.data["action"], event.data["rule"]
        elif noun == "plan.made":
            self._plan = event.data["backlog"]

    def priorities(self) -> list[tuple[Any, ...]]:
        """Return the models in order of priority, each with what is known of it."""
        planned = {row["model"]: row["outcome"] for row in self._plan}
        members = "version", "priority", "policy", "action"
        shown = [
            (model, *(row.get(one) for one in members), planned.get(model))
            for model, row in self._shown.items()
        ]
        return sorted(shown, key=lambda row: (row[2] is None, -(row[2] or 0), row[0]))

    def models(self) -> list[str]:
        """Return the models that are there."""
        return sorted(self._shown)


class InForce:
    """The version in force for each scope, in order of activation, and for each model."""

    def __init__(self) -> None:
        self.scopes: dict[Scope, tuple[int, Named]] = {}

    def take(self, event: RecordedEvent) -> None:
        """Take in one more event."""
        if noun_of(event) == "policy.activated":
            scope = scope_of(event.data["scope"])
            self.scopes.pop(scope, None)
            self.scopes[scope] = event.position, named(event.data)

    def of(self, model: str, labels: Mapping[str, str]) -> Named | None:
        """Return the version for a model: of the most specific scope, among those the latest."""
        holding = [
            (_RANK.index(kind), position, version)
            for (kind, only, carried), (position, version) in self.scopes.items()
            if only in ("", model) and carried <= labels.items()
        ]
        return max(holding)[2] if holding else None


class Roles:
    """The persons and the roles that they hold, each for the ledger or a part of it."""

    def __init__(self) -> None:
        self._persons: dict[str, str] = {}
        self._grants: dict[int, dict[str, Any]] = {}

    def take(self, event: RecordedEvent) -> None:
        """Take in one more event."""
        noun, data = noun_of(event), event.data
        if noun in ("actor.registered", "administrator.named"):
            self._persons[data["actor"]] = data["person"]
        elif noun == "role.granted":
            self._grants[event.position] = data
        elif noun == "grant.withdrawn":
            del self._grants[data["grant"]]

    def person(self, actor: str) -> str:
        """Return the person behind an actor."""
        return self._persons.get(actor, actor)

    def holders(
        self, role: str, at: int, scope: Scope, described: Mapping[str, Mapping[str, str]]
    ) -> set[str]:
        """Return the actors that hold a role at a time for all of a policy's scope.

        A model's scope carries the labels that the model has then.
        """
        _, model, carried = scope
        labels = dict(described.get(model, {})) if model else dict(carried)
        return self._covered({role}, at, model, labels)

    def approving(
        self, at: int, scope: Scope, described: Mapping[str, Mapping[str, str]]
    ) -> set[str]:
        """Return the actors that may approve there at all: of the built-in roles one says so."""
        _, model, carried = scope
        labels = dict(described.get(model, {})) if model else dict(carried)
        return self._covered({"policy-approver"}, at, model, labels)

    def _covered(self, roles: set[str], at: int, model: str, labels: dict[str, str]) -> set[str]:
        return {
            one["actor"]
            for one in self._grants.values()
            if one["role"] in roles
            and one["scope"]["labels"].items() <= labels.items()
            and not one["scope"]["signals"]
            and (not one["scope"]["models"] or model in one["scope"]["models"])
            and (one["expires_at"] is None or at < parse_time(one["expires_at"]))
        }


class Approvals:
    """What approvals each version waits for, which it has, and who could give another."""

    def __init__(self, roles: Roles, fleet: Fleet) -> None:
        self._roles = roles
        self._fleet = fleet
        self._drafts: dict[Named, tuple[str, list[dict[str, Any]]]] = {}
        self._asking: dict[Scope, list[Named]] = {}
        """The versions whose approvals the next activation of a scope takes."""
        self._before: dict[Scope, list[Named]] = {}
        """The same before an emergency that waits for ratification."""
        self._emergencies: dict[Scope, tuple[Named, str, int]] = {}
        self.waiting: dict[tuple[Named, Scope], tuple[int, str]] = {}
        self._given: dict[int, tuple[int, str, dict[str, Any]]] = {}

    def take(self, event: RecordedEvent) -> None:
        """Take in one more event."""
        act = getattr(self, f"_{noun_of(event).replace('.', '_')}", None)
        if act is not None:
            act(event, event.body.actor, event.data)

    def _policy_drafted(self, _event: RecordedEvent, actor: str, data: dict[str, Any]) -> None:
        asked = data["document"].get("governance", {}).get("approvals", [])
        self._drafts[named(data)] = actor, asked

    def _policy_submitted(self, event: RecordedEvent, actor: str, data: dict[str, Any]) -> None:
        self.waiting[named(data), scope_of(data["scope"])] = event.position, actor

    def _policy_approved(self, event: RecordedEvent, actor: str, data: dict[str, Any]) -> None:
        self._given[event.position] = data["submission"], actor, data

    def _policy_approval_withdrawn(
        self, _event: RecordedEvent, _actor: str, data: dict[str, Any]
    ) -> None:
        del self._given[data["approval"]]

    def _policy_rejected(self, _event: RecordedEvent, _actor: str, data: dict[str, Any]) -> None:
        for key, (position, _) in list(self.waiting.items()):
            if position == data["submission"]:
                del self.waiting[key]

    def _policy_retired(self, _event: RecordedEvent, _actor: str, data: dict[str, Any]) -> None:
        for key in list(self.waiting):
            if key[0] == named(data):
                del self.waiting[key]

    def _policy_activated(self, event: RecordedEvent, actor: str, data: dict[str, Any]) -> None:
        scope, version, basis = scope_of(data["scope"]), named(data), data.get("basis", "direct")
        asking = self._asking.get(scope, [])
        if basis == "emergency":  # what was asked for before it goes on being asked for
            self._emergencies[scope] = version, actor, event.position
            self.waiting.setdefault((version, scope), (event.position, actor))
            return
        self._emergencies.pop(scope, None)
        is_back = basis in ("roll_back", "reverted")
        self._asking[scope] = list(dict.fromkeys([version, *(asking if is_back else ())]))
        self.waiting.pop((version, scope), None)

    def _policy_ratified(self, _event: RecordedEvent, _actor: str, data: dict[str, Any]) -> None:
        for scope, (version, _, position) in list(self._emergencies.items()):
            if position == data["activation"]:
                self.waiting.pop((version, scope), None)
                del self._emergencies[scope]
                self._asking[scope] = [version]

    # ---- answers ---------------------------------------------------------------------------------

    def lacking(self, version: Named, scope: Scope, at: int) -> Lacking:
        """Return what a version takes that waits for a scope, role by role."""
        position, _ = self.waiting[version, scope]
        submitters = [actor for (one, _), (_, actor) in self.waiting.items() if one == version]
        actors = [self._drafts[version][0], *submitters]
        actors += [by for rushed, by, _ in self._emergencies.values() if rushed == version]
        out = {self._roles.person(actor) for actor in actors}
        given = Counter[str]()
        for submission, actor, data in self._given.values():
            counts = submission == position and parse_time(data["expires_at"]) > at
            holds = actor in self._holders(data["role"], at, scope)
            if counts and holds and self._roles.person(actor) not in out:
                given[data["role"]] += 1
                actors.append(actor)
        out = {self._roles.person(actor) for actor in actors}
        return {
            (*asking, one["role"]): (
                one["count"],
                given[one["role"]],
                self._could(one["role"], at, scope, out),
            )
            for asking in self._asked(scope)
            for one in self._drafts[asking][1]
        }

    def _holders(self, role: str, at: int, scope: Scope) -> set[str]:
        return self._roles.holders(role, at, scope, self._fleet.labels)

    def _could(self, role: str, at: int, scope: Scope, out: set[str]) -> tuple[str, ...]:
        """Return one account of each person who could approve in a role: the first by name."""
        persons: dict[str, str] = {}
        able = self._roles.approving(at, scope, self._fleet.labels)
        for actor in sorted(self._holders(role, at, scope) & able):
            if actor.startswith("users/") and self._roles.person(actor) not in out:
                persons.setdefault(self._roles.person(actor), actor)
        return tuple(sorted(persons.values()))

    def _asked(self, scope: Scope) -> list[Named]:
        return [
            one
            for other, versions in self._asking.items()
            if _RANK.index(other[0]) <= _RANK.index(scope[0]) and _may_share(other, scope)
            for one in versions
            if self._drafts[one][1]
        ]


def _may_share(one: Scope, other: Scope) -> bool:
    """Whether some model can be in both scopes, by labels that it may be given."""
    if one[0] == other[0] == "model":
        return one == other
    labels, others = dict(one[2]), dict(other[2])
    return all(others.get(name, value) == value for name, value in labels.items())


class Cases:
    """The escalations and tasks that are open."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, str, int], dict[str, Any]] = {}

    def take(self, event: RecordedEvent) -> None:
        """Take in one more event."""
        kind, _, model = event.stream.partition("/")
        if kind not in ("escalations", "tasks"):
            return
        key, name = (kind, model, event.data[kind.removesuffix("s")]), event.type.split(".")[1]
        if name in ("raised", "opened"):
            at = event.data.get("tier", event.data.get("owner"))
            self.open[key] = {"at": at, "by": None, "overdue": False}
        elif name == "escalated":
            self.open[key]["at"] = event.data["tier"]
        elif name == "overdue":
            self.open[key]["overdue"] = True
        elif name in ("acknowledged", "taken"):
            self.open[key]["by"] = event.body.actor
        else:
            assert name in ("resolved", "ended", "closed")
            del self.open[key]

"""Policies over time: versions, their authors, what changed, where and when they were in force."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.tables import Table, table_of
from ledger.events import notation
from ledger.events.canonical import encode
from ledger.events.facts import Fact, readable
from ledger.events.policies import ACTIVATED_TYPES, DRAFTED_TYPES
from ledger.governance.answers import told_basis
from ledger.governance.lifecycle import DIRECT

TYPES: Final = (*DRAFTED_TYPES, *ACTIVATED_TYPES)
_CHANGES_SHOWN: Final = 20
_ABSENT: Final = object()


def reasons(rule: dict[str, Any]) -> dict[str, str]:
    """Return why a signal of a document has its `weight`, and why its `thresholds`.

    Format policy/1 has one text for both.
    """
    found = rule["rationale"]
    return (
        dict(found) if isinstance(found, dict) else dict.fromkeys(("weight", "thresholds"), found)
    )


@dataclass(slots=True)
class Version:
    """One drafted version."""

    policy: str
    version: int
    digest: str
    author: str
    position: int
    recorded_at: int
    rationale: str
    document: dict[str, Any]

    def rule(self, rule_id: str) -> dict[str, Any] | None:
        """Return one of its decision rules."""
        for rule in self.document["decision"]["rules"]:
            if rule["id"] == rule_id:
                return dict(rule)
        return None


@dataclass(slots=True)
class Activation:
    """A version in force for a scope, until the next one for that very scope."""

    policy: str
    version: int
    scope: dict[str, Any]
    actor: str
    position: int
    since: int
    rationale: str
    basis: str
    """By what it came into force; `direct` where no policy asked for approvals."""
    until: int | None = None

    @property
    def where(self) -> str:
        """Its scope as people write it."""
        return scope_text(self.scope)

    def specificity(self, model: str, labels: Mapping[str, str]) -> tuple[int, int] | None:
        """Return how specific its scope is to a model; None where that is not in it."""
        if self.scope["kind"] == "model":
            return (2, 0) if self.scope["model"] == model else None
        if self.scope["kind"] == "labels":
            wanted = self.scope["labels"]
            is_met = all(labels.get(key) == value for key, value in wanted.items())
            return (1, len(wanted)) if is_met else None
        return (0, 0)


@dataclass(slots=True)
class Policies:
    """Every version and activation that the facts so far tell of."""

    versions: dict[tuple[str, int], Version] = field(default_factory=dict)
    activations: list[Activation] = field(default_factory=list)

    def apply(self, fact: Fact) -> None:
        """Fold one fact; those of other types change nothing."""
        data = fact.data
        if fact.type not in TYPES or data is None:
            return
        if fact.type in DRAFTED_TYPES:
            version = Version(
                data["policy"],
                data["version"],
                data["digest"],
                fact.actor,
                fact.position,
                fact.recorded_at,
                data["rationale"],
                data["document"],
            )
            self.versions[version.policy, version.version] = version
        else:
            for earlier in self.activations:
                if earlier.scope == data["scope"] and earlier.until is None:
                    earlier.until = fact.recorded_at
            self.activations.append(
                Activation(
                    data["policy"],
                    data["version"],
                    data["scope"],
                    fact.actor,
                    fact.position,
                    fact.recorded_at,
                    data["rationale"],
                    data.get("basis", DIRECT),
                )
            )

    def in_force(self, model: str, labels: Mapping[str, str]) -> Version | None:
        """Return what is in force for a model: by the most specific scope, then the newest.

        None, too, where the body of that version is not readable.
        """
        best: tuple[int, ...] = ()
        found = None
        for one in self.activations:
            rank = one.specificity(model, labels)
            if rank is not None and (*rank, one.position) > best:
                best, found = (*rank, one.position), self.versions.get((one.policy, one.version))
        return found

    def activation_of(self, policy: str, version: int, at_position: int) -> Activation | None:
        """Return the newest activation of a version at or before a position."""
        found = [
            one
            for one in self.activations
            if (one.policy, one.version) == (policy, version) and one.position <= at_position
        ]
        return found[-1] if found else None


def folded(source: FactSource) -> Policies:
    """Return what a source tells of policies."""
    policies = Policies()
    for fact in source.facts(TYPES):
        policies.apply(fact)
    return policies


def scope_text(scope: dict[str, Any]) -> str:
    """Return a scope as people write it."""
    if scope["kind"] == "model":
        return f"models/{scope['model']}"
    if scope["kind"] == "labels":
        return ", ".join(f"{key}={value}" for key, value in sorted(scope["labels"].items()))
    return "the whole ledger"


def changed(before: object, after: object, path: str = "") -> Iterator[str]:
    """Yield `path: old → new` for every leaf in which two documents differ, in order of path.

    Items of lists that have an `id` or a `signal` are compared by that, wherever they stand.
    """
    before, after = _keyed(before), _keyed(after)
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            where = f"{path}.{key}" if path else key
            yield from changed(before.get(key, _ABSENT), after.get(key, _ABSENT), where)
    elif before is _ABSENT or after is _ABSENT or encode(before) != encode(after):
        name = path.removesuffix("_ppm").removesuffix("_seconds")
        yield f"{name}: {_leaf(before, path)} → {_leaf(after, path)}"


def _keyed(value: object) -> object:
    if isinstance(value, list):
        for name in ("id", "signal", "name"):
            if value and all(isinstance(item, dict) and name in item for item in value):
                return {item[name]: item for item in value}
        return {str(index): item for index, item in enumerate(value)}
    return value


def _leaf(value: object, path: str) -> str:
    if value is _ABSENT:
        return "nothing"
    if path.endswith("_ppm") and isinstance(value, int):
        return notation.share(value)
    if path.endswith("_seconds") and isinstance(value, int):
        return notation.duration(value)
    return encode(value).decode()


def changes_table(source: FactSource, scope: FactFilter) -> Table:
    """Return every draft and activation in the period, with author, reason and what changed."""
    policies = Policies()
    note = "Policies are not a model's alone: changes of all of them are listed."
    records: list[dict[str, Any]] = []
    for fact, data in readable(source.facts(TYPES)):
        policies.apply(fact)
        if not scope.takes(fact):
            continue
        is_draft = fact.type in DRAFTED_TYPES
        records.append(
            fact.record
            | {
                "change": "drafted" if is_draft else "activated",
                "author": fact.actor,
                "scope": "" if is_draft else scope_text(data["scope"]),
                "basis": "" if is_draft else told_basis(data.get("basis", DIRECT)),
                "changed": _difference(policies, data) if is_draft else "",
            }
        )
    return table_of(
        "policy_changes",
        "Policy changes and their authors",
        (
            ("position", "integer", "where it is recorded"),
            ("recorded_at", "time", "when, by the ledger's clock"),
            ("change", "text", "drafted or activated"),
            ("policy", "text", "which policy"),
            ("version", "integer", "which version of it"),
            ("author", "text", "who did it"),
            ("rationale", "prose", "the reason given"),
            ("scope", "text", "for which models it came into force"),
            ("basis", "text", "by what it came into force"),
            ("changed", "prose", "differences from the version before"),
            ("digest", "text", "SHA-256 of the document"),
            ("request_id", "text", "the caller's id of the request"),
        ),
        records,
        note if scope.model else "",
        page=(
            ("Recorded", ("recorded_at", "position", "request_id")),
            ("Change", ("change", "policy", "version", "scope", "basis")),
            ("Author", ("author",)),
            ("Why", ("rationale",)),
            ("Changes", ("changed", "digest")),
        ),
    )


def _difference(policies: Policies, data: dict[str, Any]) -> str:
    """Return what a draft changed against the version before it."""
    before = policies.versions.get((data["policy"], data["version"] - 1))
    if before is None:
        return "first version"
    found = list(changed(before.document, data["document"]))
    shown = found[:_CHANGES_SHOWN]
    rest = len(found) - len(shown)
    return "; ".join(shown) + (f"; and {rest} more" if rest else "")

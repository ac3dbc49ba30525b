"""The environments that executors recorded: which report each belongs to, and their words.

An environment is a mapping with the members of `EnvironmentPart`.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ledger.events.jobs import GateReported, JobEnvironmentRecorded

DIGEST_DIGITS: Final = 12
_PLAIN: Final = (
    ("schema", "schema_version"),
    ("features", "features_version"),
    ("architecture", "architecture"),
    ("seed", "seed"),
)
Data = Mapping[str, Any]


class Ran(NamedTuple):
    """In which environment the step of a gate ran: where that is recorded, and what."""

    position: int
    data: Data

    @property
    def environment(self) -> Data:
        """The environment."""
        found: Data = self.data["environment"]
        return found


class EnvironmentsOfReports:
    """Takes the events of one job in order, and says in which environment each report was made."""

    def __init__(self) -> None:
        self._newest: Ran | None = None

    def take(self, position: int, type_: str, data: Data) -> Ran | None:
        """Take in an event; return the environment of a report that has one."""
        if type_ == JobEnvironmentRecorded.TYPE:
            self._newest = Ran(position, data)
        newest = self._newest
        if type_ != GateReported.TYPE or newest is None:
            return None
        members = ("gate", "attempt")
        return newest if all(newest.data[one] == data[one] for one in members) else None


def environment_words(environment: Data) -> str:
    """Return an environment in one line."""
    return "; ".join(
        [
            where_words(environment),
            code_words(environment),
            *packages_words(environment),
            *(snapshot_words(one) for one in environment["snapshots"]),
            *version_words(environment),
        ]
    )


def where_words(environment: Data) -> str:
    """Return the container image, or interpreter and platform."""
    return str(environment["image"] or f"{environment['interpreter']} on {environment['platform']}")


def code_words(environment: Data) -> str:
    """Return commit and digest of the code."""
    commit = environment["code_commit"]
    said = f"commit {commit[:DIGEST_DIGITS]}" if commit else "no commit"
    changed = ", changed since" if environment["code_changed"] else ""
    return f"{said}{changed}, files {environment['code_sha256'][:DIGEST_DIGITS]}"


def packages_words(environment: Data) -> list[str]:
    """Return number and digest of the packages; nothing where none were stated."""
    digest = environment["packages_sha256"]
    return [f"{environment['packages']} packages {digest[:DIGEST_DIGITS]}"] if digest else []


def snapshot_words(snapshot: Data) -> str:
    """Return name, digest and rows of data."""
    return f"{snapshot['name']} {snapshot['sha256'][:DIGEST_DIGITS]} of {snapshot['rows']} rows"


def version_words(environment: Data) -> list[str]:
    """Return versions, seed and order of the rows, as far as they were stated."""
    said = [
        f"{name} {environment[member]}"
        for name, member in _PLAIN
        if environment[member] not in (None, "")
    ]
    order = environment["shuffle_sha256"]
    return [*said, f"order {order[:DIGEST_DIGITS]}"] if order else said

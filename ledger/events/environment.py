"""The environment in which a step ran, as it is recorded: all that it takes to run it again."""

from typing import Annotated

from pydantic import Field

from ledger.events.base import BigInt, Count, Hex32, Part, ShortText
from ledger.events.recipe_document import Image
from ledger.limits import LABEL_CHARS_MAX, RECIPE_NAMES_MAX

Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})\z")]


class SnapshotPart(Part):
    """Data as they were read: their digest, and how many rows they have."""

    name: Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX)]
    sha256: Hex32
    rows: Count


class EnvironmentPart(Part):
    """Code, interpreter, packages, data, versions and chance of one step."""

    code_commit: Commit | None
    code_changed: bool
    """Whether files differed from that commit; false where there is none."""
    code_sha256: Hex32
    """The digest of the program's files."""
    image: Image | None
    """The container image that it ran in; null where it ran without one."""
    interpreter: ShortText
    platform: ShortText
    """Both are stated where there is no image."""
    packages: Count
    packages_sha256: Hex32 | None
    """The digest of the installed packages with their versions; null where none was stated."""
    snapshots: list[SnapshotPart] = Field(max_length=RECIPE_NAMES_MAX)
    """By name, each once."""
    schema_version: ShortText
    features_version: ShortText
    architecture: ShortText
    seed: BigInt | None
    shuffle_sha256: Hex32 | None
    """The digest of the order in which the rows were taken."""


def environment_fault(environment: EnvironmentPart) -> str:
    """Return why a record tells too little of an environment; empty where it is whole."""
    if environment.image is None and not (environment.interpreter and environment.platform):
        return "it names neither a container image nor an interpreter and a platform"
    if environment.code_commit is None and environment.code_changed:
        return "it says that its code was changed since no commit"
    names = [one.name for one in environment.snapshots]
    if names != sorted(set(names)):
        return "its snapshots are not in the order of their names, each once"
    return ""

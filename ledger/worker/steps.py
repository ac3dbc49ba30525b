"""The order to a step, and its answer: two JSON files, `step/1`.

The file named by `DECISION_LEDGER_STEP` says which job and which gate; the step writes its answer
to the file named by `DECISION_LEDGER_REPORT`. Numbers are whole ones, in the units of the recipe.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal, NamedTuple, Protocol

from pydantic import Field, ValidationError

from ledger.client.jobs import Artifact
from ledger.environment import REPORT_BYTES_MAX
from ledger.events.base import Decimal, Part, Segment
from ledger.events.environment import EnvironmentPart
from ledger.events.job_parts import Link, Numbers
from ledger.events.recipe_document import RecipeDocument
from ledger.limits import JOB_LINKS_MAX, LABEL_CHARS_MAX, RECIPE_NAMES_MAX
from ledger.reading import open_plain, parse_json, read_text

RETURN: Final = "roll_back"
"""The task of putting the version back that a job had replaced; every other one is a gate."""
_PART_BYTES: Final = 1024 * 1024
_Micros = Annotated[int, Field(ge=0, le=2**53 - 1)]
_FileName = Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX)]


class StepError(Exception):
    """A step that has no result: why, as a sentence, and what it has cost, if it said so.

    `log_sha256`: the digest of its log; empty where there is none.
    """

    def __init__(self, why: str, cost_micros: int = 0, log_sha256: str = "") -> None:
        super().__init__(why)
        self.cost_micros = cost_micros
        self.log_sha256 = log_sha256


class VersionPart(Part):
    """The version that a step of the gate `deployment` has put into service."""

    model_version: Segment
    in_service_at: str = ""
    """As people write times; empty for the ledger's own now."""
    trained_through: str
    baseline_loss: Decimal


class StepReport(Part):
    """The answer of a step; all but `format` may be left out."""

    format: Literal["step/1"]
    metrics: Numbers = Field(default_factory=dict)
    samples: Numbers = Field(default_factory=dict)
    champion: Numbers = Field(default_factory=dict)
    candidate: Numbers = Field(default_factory=dict)
    cost_micros: _Micros | None = None
    """The cost of this step alone."""
    artifacts: dict[_FileName, str] = Field(default_factory=dict, max_length=RECIPE_NAMES_MAX)
    """Files that it leaves, by name: each a path in its folder. The worker reckons the digests."""
    links: list[Link] = Field(default_factory=list, max_length=JOB_LINKS_MAX)
    environment: EnvironmentPart | None = None
    """In which environment it ran, as `ledger.environment` collects it."""
    version: VersionPart | None = None
    """Of the gate `deployment` alone."""
    in_service_at: str = ""
    """Of a return alone: when the version before served again; empty for the ledger's now."""


class WorkedOn(Protocol):
    """The work that steps are about: a job, or a version that is to serve again without one."""

    @property
    def job(self) -> str:
        """The id of the job, or the name of the work that is none: its folder has that name."""
        ...

    @property
    def run_id(self) -> str:
        """Its run; empty for none."""
        ...

    @property
    def attempt(self) -> int:
        """The number of the attempt."""
        ...

    @property
    def model(self) -> str:
        """The model."""
        ...

    @property
    def recipe(self) -> str:
        """The id of the recipe by which it is done."""
        ...

    @property
    def recipe_version(self) -> int:
        """Its version."""
        ...

    @property
    def recipe_digest(self) -> str:
        """The digest of its document, in hex."""
        ...

    @property
    def returns_to(self) -> tuple[str, ...]:
        """The versions that may serve again, the first choice first."""
        ...


class StepGrounds(NamedTuple):
    """All that a step is told beside its job and its recipe."""

    serving: str
    """The version of the model that serves; empty for none."""
    ledger: str
    code: Mapping[str, Any]
    """The record of the code in the recipe's folder."""
    request: str = ""
    """The name of this task among the times that it is done in one attempt; empty for one alone."""


def told(job: WorkedOn, recipe: RecipeDocument, task: str, grounds: StepGrounds) -> dict[str, Any]:
    """Return what a step is told of its task."""
    gate = next((one for one in recipe.gates if one.gate == task), None)
    asked: dict[str, list[str]] = {"metrics": [], "samples": [], "champion": [], "candidate": []}
    if gate is not None:
        asked["samples"] = [one.name for one in gate.samples]
        for metric in gate.metrics:
            for where in ("metrics",) if metric.of == "run" else ("champion", "candidate"):
                asked[where].append(metric.name)
    return {
        "format": "step/1",
        "task": task,
        "ledger": grounds.ledger,
        "job": job.job,
        "run": job.run_id or None,
        "attempt": job.attempt,
        "model": job.model,
        "serving": grounds.serving or None,
        "code": dict(grounds.code),
        "recipe": {
            "name": job.recipe, "version": job.recipe_version, "digest": job.recipe_digest,
        },
        "parameters": {one.name: one.value for one in recipe.parameters},
        "inputs": {one.name: one.sha256 for one in recipe.inputs},
        "outputs": [one.name for one in recipe.outputs],
        "asked": asked,
        "put_back": job.returns_to[0] if task == RETURN and job.returns_to else None,
        "request": grounds.request or None,
    }  # fmt: skip


def write_told(path: Path, facts: Mapping[str, Any]) -> None:
    """Write what a step is told."""
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def read_report(path: Path) -> StepReport:
    """Return the report that a step wrote; StepError says what is wrong with it."""
    try:
        return StepReport.model_validate(parse_json(read_text(path, REPORT_BYTES_MAX)))
    except FileNotFoundError:
        raise StepError("It wrote no report.") from None
    except OSError as error:
        raise StepError(f"Its report cannot be read: {error.strerror or error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the report"
        raise StepError(f"Its report is not of the form step/1: {place}: {first['msg']}.") from None
    except ValueError as error:
        raise StepError(f"Its report is no JSON: {error}.") from None


def stated_cost(path: Path) -> int:
    """Return the cost that a step wrote that has failed, however little else its report is."""
    try:
        found = parse_json(read_text(path, REPORT_BYTES_MAX))
    except (OSError, ValueError):
        return 0
    cost = found.get("cost_micros") if isinstance(found, dict) else None
    if not isinstance(cost, int) or isinstance(cost, bool) or not 0 <= cost < 2**53:
        return 0
    return cost


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256 of what is left of a file, in hex."""
    digest = hashlib.sha256()
    while part := file.read(_PART_BYTES):
        digest.update(part)
    return digest.hexdigest()


def artifacts_of(report: StepReport, folder: Path) -> tuple[Artifact, ...]:
    """Return the artifacts of a report with their digests; StepError where one is not there."""
    found = []
    for name, text in sorted(report.artifacts.items()):
        path = (folder / text).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise StepError(f"Its artifact {name} is outside of its folder: {text}.")
        try:
            with open_plain(path) as file:
                digest = sha256_of(file)
        except OSError as error:
            raise StepError(f"Its artifact {name} cannot be read: {error.strerror}.") from None
        found.append(Artifact(name, digest))
    return tuple(found)

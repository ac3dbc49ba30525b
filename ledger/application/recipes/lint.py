"""Advice on a recipe before it is drafted: every error with its place, and what looks unmeant.

Errors are what `text` refuses; a recipe with one cannot be drafted. Warnings are for a person to
judge and never stop a draft. `ledger/docs/recipes.md` has the codes of both.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from ledger.application.documents.problems import Problem
from ledger.application.names import did_you_mean
from ledger.application.recipes.problems import RecipeAdvice
from ledger.application.recipes.text import (
    RecipeReading,
    read_recipe,
    recipe_digest,
    recipe_refusal,
)
from ledger.events.notation import counted
from ledger.events.recipe_document import GatePart, HoldoutPart, RecipeDocument
from ledger.events.recipes import RecipeDrafted
from ledger.governance.requirements import AbleToApprove
from ledger.jobs.confidence import ERROR_SUFFIX
from ledger.rules.candidate_soundness import accepts_equal
from ledger.rules.gates import compile_criterion, declared_by, reads_of
from ledger.rules.policy_findings import PolicyFinding
from ledger.rules.policy_grounds import unsound_job_approvals
from ledger.rules.recipe_soundness import JUDGED

Approvers = Callable[[], AbleToApprove | None]
"""The persons who can approve in each role now; None where callers are believed."""
Holdouts = Callable[[], Iterable[tuple[str, HoldoutPart]]]
"""The data kept apart by approved recipes, each with the name of its recipe's version."""
Signals = Callable[[], Collection[str]]
"""The names of the signals that the ledger has defined."""

_SHELL = frozenset({"&&", "||", "|", ";", ">", ">>", "<", "&", "2>&1"})


@dataclass(frozen=True, slots=True)
class RecipeLint:
    """The findings. `document` and `digest` are None where there is an error among `problems`."""

    document: RecipeDocument | None
    digest: str | None
    problems: tuple[Problem, ...]

    def draft(self, recipe: str, version: int, rationale: str) -> RecipeDrafted:
        """Return a version that is drafted of it; RECIPE_INVALID names every error of the text."""
        if self.document is None or self.digest is None:
            raise recipe_refusal(self.problems)
        return RecipeDrafted(
            recipe=recipe,
            version=version,
            digest=self.digest,
            document=self.document,
            rationale=rationale,
        )


def lint_recipe(
    text: str,
    approvers: Approvers = lambda: None,
    holdouts: Holdouts = lambda: (),
    signals: Signals | None = None,
) -> RecipeLint:
    """Return everything that is wrong or doubtful about a recipe's text, in order of place."""
    reading = read_recipe(text)
    document = reading.document
    if document is not None:
        _lint_run(reading, document)
        for index, gate in enumerate(document.gates):
            _lint_gate(reading, gate, f"gates[{index}]")
        _lint_deployment(reading, document)
        _lint_approvals(reading, document, approvers)
        _lint_holdouts(reading, document, holdouts)
        if signals is not None:
            _lint_signals(reading, document, signals)
    problems = tuple(sorted(reading.problems, key=lambda each: each.order))
    digest = None if document is None else recipe_digest(document)
    return RecipeLint(document, digest, problems)


def _warn(reading: RecipeReading, path: str, code: RecipeAdvice, message: str, remedy: str) -> None:
    reading.report(path, code, message, remedy, "warning")


def _lint_run(reading: RecipeReading, document: RecipeDocument) -> None:
    run = document.run
    if run.image is None:
        message = "nothing pins what runs: the executor's own machine is used"
        remedy = (
            "Name an image by its digest, or rely on the environment that each attempt records."
        )
        _warn(reading, "run", "IMAGE_MISSING", message, remedy)
    for index, argument in enumerate(run.argv):
        is_command = index == 0 and len(run.argv) == 1 and len(argument.split()) > 1
        if is_command or argument in _SHELL:
            message = "no shell reads the arguments, so this is taken as it is"
            remedy = (
                "Write each argument as an entry of its own, and `sh -c` where you mean a shell."
            )
            _warn(reading, f"run.argv[{index}]", "SHELL_SYNTAX", message, remedy)
    if not document.rationale.strip():
        message, remedy = "the recipe has no rationale", "Say what it is to achieve."
        _warn(reading, "rationale", "RATIONALE_MISSING", message, remedy)


def _lint_gate(reading: RecipeReading, gate: GatePart, path: str) -> None:
    if gate.gate not in JUDGED:
        return
    declared = declared_by(gate)
    read: set[tuple[str, str]] = set()
    first: dict[str, str] = {}
    for index, criterion in enumerate(gate.criteria):
        here = f"{path}.criteria[{index}]"
        read.update(reads_of(compile_criterion(criterion.when, declared).tree))
        if criterion.when in first:
            message = f"the same condition as {first[criterion.when]!r}"
            _warn(reading, f"{here}.when", "CRITERION_TWICE", message, "Remove one of the two.")
        first.setdefault(criterion.when, criterion.name)
        if not criterion.rationale.strip():
            message, remedy = f"{criterion.name!r} has no rationale", "Say why this limit."
            _warn(reading, here, "RATIONALE_MISSING", message, remedy)
    names = {name for _, name in read}
    for part in ("metrics", "samples"):
        for index, one in enumerate(getattr(gate, part)):
            here = f"{path}.{part}[{index}]"
            if not one.meaning.strip():
                message = f"{one.name!r} has no description"
                remedy = "Say what is measured, and how, so that a reader can judge the limit."
                _warn(reading, here, "MEANING_MISSING", message, remedy)
            if not {one.name, one.name.removesuffix(ERROR_SUFFIX)} & names:
                message = f"no criterion reads {one.name!r}"
                remedy = "Write a criterion over it, or leave it out if it decides nothing."
                _warn(reading, here, "METRIC_UNUSED", message, remedy)
    for index, signal in enumerate(gate.signals):
        if signal not in names:
            message = f"no criterion reads {signal!r}"
            remedy = "Write a criterion over it, or leave it out if it decides nothing."
            _warn(reading, f"{path}.signals[{index}]", "METRIC_UNUSED", message, remedy)
    if gate.gate == "observation" and not gate.signals and gate.evidence_after_ppm is None:
        message = "its executor alone chooses when to look: a report at the first second passes it"
        remedy = "Write `evidence_after: 90%`, or `signals` that the ledger observes by itself."
        _warn(reading, path, "EVIDENCE_UNTIMED", message, remedy)
    _lint_comparison(reading, gate, path)


def _lint_comparison(reading: RecipeReading, gate: GatePart, path: str) -> None:
    """Warn of a comparison that lets too much through, or says nothing of its samples."""
    if gate.gate == "candidate" and accepts_equal(gate):
        message = "a candidate passes that is no better than the version in service"
        remedy = "Write `<`; how much more it may lose is for the policy, `gate` of its planner."
        _warn(reading, f"{path}.criteria", "CANDIDATE_LENIENT", message, remedy)
    if gate.gate in {"representativeness", "candidate", "holdout"} and not gate.samples:
        message = f"the gate {gate.gate} says nothing of sample sizes"
        remedy = "Declare `samples`, and a criterion with the fewest that are enough."
        _warn(reading, path, "SAMPLES_MISSING", message, remedy)


def _lint_deployment(reading: RecipeReading, document: RecipeDocument) -> None:
    places = {gate.gate: index for index, gate in enumerate(document.gates)}
    at = places.get("deployment")
    if at is None:
        return
    if "holdout" not in places:
        message = "a version goes into service without a test on data kept apart"
        remedy = "Add the gate `holdout` before it."
        _warn(reading, f"gates[{at}]", "DEPLOYMENT_UNVERIFIED", message, remedy)
    if "observation" not in places:
        message = "a version goes into service and is not observed there"
        remedy = "Add the gate `observation` after it, with its window."
        _warn(reading, f"gates[{at}]", "DEPLOYMENT_UNOBSERVED", message, remedy)
    if "training" not in places and document.run.image is None:
        message = "a version goes into service, and no record says in which environment it was made"
        remedy = "Add the gate `training`, which takes it on record, or pin a container image."
        _warn(reading, f"gates[{at}]", "ENVIRONMENT_UNRECORDED", message, remedy)
    if not document.outputs:
        message, remedy = "there is nothing to deploy", "Name the artifacts in `outputs`."
        _warn(reading, "outputs", "OUTPUTS_MISSING", message, remedy)


def approval_findings(document: RecipeDocument, able: AbleToApprove) -> Iterator[PolicyFinding]:
    """Yield the approvals of gates that the persons of the ledger cannot give."""
    for at, gate in enumerate(document.gates):
        yield from unsound_job_approvals(f"gates[{at}].approvals", gate.approvals, able)


def _lint_approvals(reading: RecipeReading, document: RecipeDocument, approvers: Approvers) -> None:
    if not any(gate.approvals for gate in document.gates):
        return
    able = approvers()
    for one in approval_findings(document, able) if able is not None else ():
        near = "" if one.near is None else did_you_mean(*one.near)
        code: RecipeAdvice = "ROLE_UNKNOWN" if one.code == "ROLE_UNKNOWN" else "APPROVERS_TOO_FEW"
        _warn(reading, one.path, code, one.message, f"{near}{one.remedy}")


def _lint_signals(reading: RecipeReading, document: RecipeDocument, signals: Signals) -> None:
    """Warn of signals of an observation that the ledger has not defined: none is ever observed."""
    for index, gate in enumerate(document.gates):
        known = signals() if gate.signals else ()
        for at, name in enumerate(gate.signals):
            if name not in known:
                message = f"the ledger knows no signal {name!r}"
                remedy = f"{did_you_mean(name, known)}Define it first: `signal define {name}`."
                _warn(reading, f"gates[{index}].signals[{at}]", "SIGNAL_UNKNOWN", message, remedy)


def _lint_holdouts(reading: RecipeReading, document: RecipeDocument, holdouts: Holdouts) -> None:
    """Warn of a bound that is not that of approved recipes: all jobs share the uses of the data."""
    for index, gate in enumerate(document.gates):
        if gate.holdout is None:
            continue
        for recipe, known in holdouts():
            if known.name == gate.holdout.name and known.max_uses != gate.holdout.max_uses:
                message = f"{recipe} lets {known.name!r} be used {counted(known.max_uses, 'time')}"
                remedy = "Write the same bound, or name other data: all jobs share its uses."
                path = f"gates[{index}].holdout.max_uses"
                _warn(reading, path, "HOLDOUT_BOUND_DIFFERS", message, remedy)
                break

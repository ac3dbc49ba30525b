"""The recipes that a worker can run: those with a folder here, as the ledger has them."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from ledger.client.recipes import RecipeVersion
from ledger.events.recipe_document import RecipeDocument
from ledger.worker.calls import Tell
from ledger.worker.running import lacking_variables
from ledger.worker.state import WorkerError
from ledger.worker.steps import StepError, WorkedOn


class RecipeFolders:
    """A folder with a folder for each recipe, under the recipe's id."""

    def __init__(self, folder: Path, read: Callable[[str, int], RecipeVersion], tell: Tell) -> None:
        """`read` returns a version of a recipe; WorkerError where there is no such folder."""
        if not folder.is_dir():
            raise WorkerError(f"{folder} is no folder.", "Name the folder of recipes: --recipes.")
        self._folder = folder.resolve()
        self._read = read
        self._tell = tell
        self._known: dict[str, RecipeDocument] = {}
        self._left: set[str] = set()

    def folder(self, job: WorkedOn) -> Path:
        """Return the folder of a job's recipe."""
        return self._folder / job.recipe

    def of(self, job: WorkedOn) -> RecipeDocument | None:
        """Return the recipe of a job; None, which is told once, where it cannot be run here."""
        if not self.folder(job).is_dir():
            return None
        if job.recipe_digest in self._left:
            return None
        recipe, why = self._known.get(job.recipe_digest), ""
        try:
            recipe = recipe or fetched_recipe(job, self._read(job.recipe, job.recipe_version))
        except StepError as error:
            why = str(error)
        if recipe is not None:
            why = _hindrance(recipe)
        if recipe is None or why:
            self._left.add(job.recipe_digest)
            named = f"{job.recipe} version {job.recipe_version}"
            facts = {"recipe": job.recipe, "version": job.recipe_version}
            self._tell("recipe.left", f"Jobs by {named} are left to other workers: {why}.", facts)
            return None
        self._known[job.recipe_digest] = recipe
        return recipe


def fetched_recipe(job: WorkedOn, version: RecipeVersion) -> RecipeDocument:
    """Return a job's recipe as the ledger has it; StepError says why it is not to be believed."""
    text = version.canonical_json.encode()
    if hashlib.sha256(text).hexdigest() != job.recipe_digest:
        raise StepError("its document has not the digest that the job names")
    try:
        return RecipeDocument.model_validate_json(text)
    except ValidationError:
        raise StepError("its document is of a form that this release does not know") from None


def _hindrance(recipe: RecipeDocument) -> str:
    """Return why a recipe cannot be run here; empty where it can."""
    if recipe.run.image is not None:
        return "it names a container image, and this worker runs programs without one"
    lacking = lacking_variables(recipe)
    return f"it needs variables that are not set here: {', '.join(lacking)}" if lacking else ""

"""`decision-ledger recipe …`: how models are retrained, every version of it."""

from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.policies import read_document, told_problems
from ledger.cli.session import session
from ledger.operations.failures import MisuseError

_Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help="Id of the recipe.")]
_Version = Annotated[int, typer.Argument(min=1, help="Number of the version.")]
_File = Annotated[str, typer.Argument(metavar="FILE", help="YAML or JSON; `-` for standard input.")]
_Reason = Annotated[str, typer.Option(help="Why; recorded for good.")]
_DIGITS_MIN = 12


def schema() -> None:
    """Print the JSON Schema of recipes, by which editors complete and check their texts.

    Save it beside them, and let each begin with the line
    `# yaml-language-server: $schema=recipe-schema.json`. It needs no server.
    """
    from ledger.operations.document_schemas import document_schema

    output.write(document_schema("recipe"))


def lint(
    file: _File,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse warnings too.")] = False,
) -> None:
    """Check a recipe as drafting would; exits with 1 if it could not be drafted.

    Each finding has its place, its code in brackets and its remedy. With --strict the exit is 1
    for warnings too, such as a gate that says nothing of sample sizes.
    """
    chosen = session()
    found = chosen.client.lint_recipe(read_document(file))
    summary = f"{file}: it can be drafted; digest {found.digest}." if found.valid else ""
    chosen.show(found, "\n".join(filter(None, [*told_problems(file, found.problems), summary])))
    if not found.valid or (strict and found.problems):
        raise typer.Exit(1)


def draft(
    recipe: _Recipe,
    file: _File,
    rationale: Annotated[str, typer.Option(help="Why; recorded for good.")],
) -> None:
    """Record the next version of a recipe; no job is made by it until it is approved."""
    chosen = session()
    made = chosen.client.draft_recipe(recipe, read_document(file), rationale)
    for line in told_problems(file, made.warnings):
        output.say(line)
    one = made.version
    chosen.show(
        made,
        f"Drafted {one.recipe} version {one.version}, digest {one.digest}. Another person approves "
        f"it: decision-ledger recipe approve {one.recipe} {one.version} --digest …",
    )


def approve(
    recipe: _Recipe,
    version: _Version,
    digest: Annotated[
        str, typer.Option(help="The digest of what you read, 12 digits of it or more.")
    ],
    comment: Annotated[str, typer.Option(help="Your findings; recorded for good.")] = "",
) -> None:
    """Approve a version that another person drafted. You state: I have reviewed and approved it."""
    chosen = session()
    whole = chosen.client.get_recipe(recipe, version).digest
    if len(digest) < _DIGITS_MIN or not whole.startswith(digest):
        raise MisuseError(
            f"--digest: {recipe} version {version} has the digest {whole}.",
            f"Read that one by `recipe show {recipe} --version {version}`, then state its digest.",
        )
    appended = chosen.client.approve_recipe(recipe, version, whole, comment=comment)
    chosen.show(
        appended,
        f"Approved {recipe} version {version}, at position {appended.position}: jobs may be made "
        "by it.",
    )


def reject(recipe: _Recipe, version: _Version, reason: _Reason) -> None:
    """Reject a version: it is never approved, and a better one is drafted."""
    chosen = session()
    appended = chosen.client.reject_recipe(recipe, version, reason)
    chosen.show(appended, f"Rejected {recipe} version {version}, at position {appended.position}.")


def retire(
    recipe: _Recipe,
    reason: _Reason,
    version: Annotated[int, typer.Option(min=0, help="A version; 0 for every one so far.")] = 0,
) -> None:
    """Retire a version, or every version so far: no job is made by it any more."""
    chosen = session()
    appended = chosen.client.retire_recipe(recipe, reason, version=version)
    what = (
        f"Version {version} of {recipe} is" if version else f"Every version of {recipe} so far is"
    )
    chosen.show(appended, f"{what} retired, at position {appended.position}.")


def show(
    recipe: _Recipe,
    version: Annotated[int, typer.Option(min=0, help="A version; 0 for the newest.")] = 0,
) -> None:
    """Show a version of a recipe as its document, with its state."""
    chosen = session()
    one = chosen.client.get_recipe(recipe, version)
    state = one.state.lower()
    at = f", since position {one.changed_position}" if one.changed_position else ""
    lines = [
        f"# {one.name}: {one.title}",
        f"# {state}{at}",
        f"# digest {one.digest}",
        f"# drafted {output.when(one.drafted_at)} by {one.author}: {one.rationale}",
        one.document.rstrip("\n"),
    ]
    chosen.show(one, "\n".join(lines))


def list_(
    recipe: Annotated[str, typer.Option(help="The versions of this recipe only.")] = "",
) -> None:
    """List the versions of recipes, with the state of each."""
    chosen = session()
    found = list(chosen.client.list_recipes(recipe))
    rows = [
        (
            one.recipe,
            one.version,
            one.state.lower(),
            one.digest[:_DIGITS_MIN],
            one.author,
            one.title,
        )
        for one in found
    ]
    headings = ("RECIPE", ">VERSION", "STATE", "DIGEST", "AUTHOR", "TITLE")
    chosen.show({"recipes": found}, output.table(headings, rows))

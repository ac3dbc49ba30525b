"""Recipes of one ledger: drafted, approved or rejected by a person, retired, and used by jobs.

Each step is judged at the head as an auditor judges it, and recorded if nothing has changed since.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.authority.authority import Authority, unchanged
from ledger.application.commands import Caller, fields_named, none_after
from ledger.application.names import did_you_mean, nearest
from ledger.application.recipes.lint import RecipeLint, approval_findings, lint_recipe
from ledger.errors import LedgerError, Reason
from ledger.events.recipe_document import ExpectedPart, HoldoutPart, RecipeDocument
from ledger.events.recipes import (
    RECIPE_TYPES,
    RecipeApproved,
    RecipeData,
    RecipeDrafted,
    RecipeRejected,
    RecipeRetired,
)
from ledger.events.registry import typed
from ledger.events.signals import SignalDefined, SignalDefinedV2
from ledger.jobs.recipes import RecipeShelf, ShelvedRecipe, step_fault, use_fault
from ledger.storage.records import AppendResult, Guard, LedgerInfo
from ledger.storage.store import Store

_TRIES: Final = 5

_Make = Callable[[RecipeShelf], RecipeData]


class WrittenRecipe(NamedTuple):
    """A version that was drafted, and what lint found about it."""

    written: AppendResult
    version: int
    lint: RecipeLint


class RecordedRecipe(NamedTuple):
    """A version with its document, and when that was drafted."""

    version: ShelvedRecipe
    drafted: RecipeDrafted
    drafted_at: int


class ApprovedRecipe(NamedTuple):
    """A version by which jobs may be made; `position` is that of its draft."""

    recipe: str
    version: int
    document: RecipeDocument
    digest: str
    position: int


@dataclass(frozen=True, slots=True)
class ChosenRecipe:
    """A version of a recipe, with the digest that the caller saw; empty where it names none."""

    recipe: str
    number: int
    digest: str = ""


class Recipes:
    """The recipes of one ledger. Safe between threads; a shelf is a value."""

    def __init__(self, store: Store, info: LedgerInfo, authority: Authority) -> None:
        self._store = store
        self._info = info
        self._authority = authority
        self._appender = Appender(store, info.origin)
        self._lock = threading.Lock()
        self._shelf = RecipeShelf()
        self._through = 0

    # ---- reading ---------------------------------------------------------------------------------

    def shelf(self) -> RecipeShelf:
        """Return all recipes as they are at the head."""
        return self._at(self._store.events.head(self._info.origin).position)

    def recorded(self, recipe: str, number: int = 0) -> RecordedRecipe:
        """Return a version, the newest without a number, with its document; RECIPE_UNKNOWN."""
        return self._recorded(self.shelf(), recipe, number)

    def _recorded(self, shelf: RecipeShelf, recipe: str, number: int) -> RecordedRecipe:
        one = shelf.versions.get((recipe, number or shelf.newest.get(recipe, 0)))
        if one is None:
            raise _unknown(shelf, recipe, number)
        event = self._appender.event(one.position)
        return RecordedRecipe(one, typed(event, RecipeDrafted), event.recorded_at)

    def approved(self, recipe: str, number: int = 0) -> tuple[ApprovedRecipe, list[Guard]]:
        """Return a version by which jobs may be made, and the guards that it still is one.

        Without a number it is the newest that is approved. RECIPE_UNKNOWN; RECIPE_REFUSED where no
        job may be made by it.
        """
        head = self._store.events.head(self._info.origin).position
        shelf = self._at(head)
        number = number or shelf.approved(recipe) or shelf.newest.get(recipe, 0)
        one, drafted, _ = self._recorded(shelf, recipe, number)
        if fault := use_fault(shelf, recipe, number, one.digest):
            raise _refused(fault)
        found = ApprovedRecipe(recipe, number, drafted.document, one.digest, one.position)
        return found, [none_after(head, drafted.stream_name, *RECIPE_TYPES)]

    def expected(self, recipe: str) -> tuple[ExpectedPart, RecipeShelf, list[Guard]]:
        """Return what the newest approved version expects, its shelf, and guards; as `approved`."""
        found, guards = self.approved(recipe)
        return found.document.expected, self.shelf(), guards

    def lint(self, text: str) -> RecipeLint:
        """Return everything that is wrong or doubtful about a recipe's text."""
        return lint_recipe(text, self._authority.approvers, self._holdouts, self._signals)

    def _signals(self) -> frozenset[str]:
        """Return the names of the signals that were defined."""
        types = (SignalDefined.TYPE, SignalDefinedV2.TYPE)
        found = self._store.events.of_types(self._info.origin, types)
        return frozenset(event.stream.partition("/")[2] for event in found)

    def _holdouts(self) -> Iterator[tuple[str, HoldoutPart]]:
        """Yield the data kept apart by each approved version, with the version's name."""
        shelf = self.shelf()
        approved = {one.position: one for one in shelf.versions.values() if one.state == "approved"}
        for event in self._store.events.of_types(self._info.origin, {RecipeDrafted.TYPE}):
            if (one := approved.get(event.position)) is not None:
                for gate in typed(event, RecipeDrafted).document.gates:
                    if gate.holdout is not None:
                        yield str(one), gate.holdout

    def _at(self, head: int) -> RecipeShelf:
        """Return the shelf at a head, or a later one that another thread has read."""
        with self._lock:
            if head > self._through:
                for event in self._store.events.of_types(
                    self._info.origin, RECIPE_TYPES, after=self._through, at_or_before=head
                ):
                    body = event.body
                    self._shelf = self._shelf.applied(
                        event.position, event.stream, event.type, body.actor, body.data
                    )
                self._through = head
            return self._shelf

    # ---- steps -----------------------------------------------------------------------------------

    def draft(self, caller: Caller, recipe: str, text: str, rationale: str) -> WrittenRecipe:
        """Record the next version of a recipe; RECIPE_INVALID names every error of its text."""
        linted = self.lint(text)

        def make(shelf: RecipeShelf) -> RecipeData:
            return linted.draft(recipe, shelf.newest.get(recipe, 0) + 1, rationale)

        written = self._record(caller, RecipeDrafted.METHOD, make)
        drafted = typed(self._appender.event(written.last_position), RecipeDrafted)
        return WrittenRecipe(written, drafted.version, linted)

    def approve(self, caller: Caller, chosen: ChosenRecipe, comment: str) -> AppendResult:
        """Record that a person approved a version; RECIPE_REFUSED says why it may not be.

        Also where its gates ask for approvals that no persons could give.
        """

        def make(shelf: RecipeShelf) -> RecipeData:
            self._check_reachable(shelf, chosen)
            return RecipeApproved(
                recipe=chosen.recipe,
                version=chosen.number,
                digest=_digest(shelf, chosen),
                meaning="reviewed_and_approved",
                comment=comment,
            )

        return self._record(caller, RecipeApproved.METHOD, make)

    def _check_reachable(self, shelf: RecipeShelf, chosen: ChosenRecipe) -> None:
        able = self._authority.approvers()
        if able is None or (chosen.recipe, chosen.number) not in shelf.versions:
            return
        document = self._recorded(shelf, chosen.recipe, chosen.number).drafted.document
        for one in approval_findings(document, able):
            raise LedgerError(
                Reason.RECIPE_REFUSED,
                f"No job of this version could pass its gates: {one.path}: {one.message}. Nothing "
                "was written.",
                remedy=f"Draft another version, or have an administrator change roles and grants "
                f"(`authority`). {one.remedy}",
                metadata={"recipe": chosen.recipe, "version": str(chosen.number)},
            )

    def reject(self, caller: Caller, chosen: ChosenRecipe, reason: str) -> AppendResult:
        """Record that a version was rejected; RECIPE_REFUSED says why it may not be."""

        def make(shelf: RecipeShelf) -> RecipeData:
            return RecipeRejected(
                recipe=chosen.recipe,
                version=chosen.number,
                digest=_digest(shelf, chosen),
                reason=reason,
            )

        return self._record(caller, RecipeRejected.METHOD, make)

    def retire(self, caller: Caller, recipe: str, number: int, reason: str) -> AppendResult:
        """Record that a version, or with 0 every one so far, is used no more; RECIPE_REFUSED."""

        def make(shelf: RecipeShelf) -> RecipeData:
            if recipe not in shelf.newest or (number and (recipe, number) not in shelf.versions):
                raise _unknown(shelf, recipe, number)
            return RecipeRetired(recipe=recipe, version=number or None, reason=reason)

        return self._record(caller, RecipeRetired.METHOD, make)

    def _record(self, caller: Caller, method: str, make: _Make) -> AppendResult:
        def decide() -> Proposal:
            head = self._store.events.head(self._info.origin).position
            self._authority.refresh()
            shelf, authority = self._at(head), self._authority.state
            with fields_named():
                made = make(shelf)
            if fault := step_fault(shelf, authority, made.TYPE, caller.actor, made.to_data()):
                raise _refused(fault)
            guards = [none_after(head, made.stream_name, *RECIPE_TYPES), unchanged(authority)]
            return Proposal([Addition.of(made)], guards)

        return self._appender.append(caller, method, decide, tries=_TRIES)


def _digest(shelf: RecipeShelf, chosen: ChosenRecipe) -> str:
    """Return the digest that a caller named, else that of the version; RECIPE_UNKNOWN."""
    one = shelf.versions.get((chosen.recipe, chosen.number))
    if one is None:
        raise _unknown(shelf, chosen.recipe, chosen.number)
    return chosen.digest or one.digest


def _refused(fault: str) -> LedgerError:
    return LedgerError(
        Reason.RECIPE_REFUSED,
        f"{fault[:1].upper()}{fault[1:]}. Nothing was written.",
        remedy="`recipe show` says the state of each version; draft another one to change it.",
    )


def _unknown(shelf: RecipeShelf, recipe: str, number: int) -> LedgerError:
    if recipe in shelf.newest:
        what = f"Recipe {recipe} has no version {number}; the newest one is {shelf.newest[recipe]}."
        return LedgerError(
            Reason.RECIPE_UNKNOWN, what, remedy="`recipe list` shows every version.",
            metadata={"recipe": recipe, "version": str(number)},
        )  # fmt: skip
    known = sorted(shelf.newest)
    return LedgerError(
        Reason.RECIPE_UNKNOWN,
        f"There is no recipe {recipe!r}.",
        remedy=f"{did_you_mean(recipe, known)}Check the name, or draft it first.",
        metadata={"recipe": recipe, "nearest": nearest(recipe, known)},
    )

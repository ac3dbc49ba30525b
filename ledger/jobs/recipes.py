"""Recipes: the versions that events have made, and whether a step of one may be.

A version is a draft until a person who is not its author approves or rejects it; an approved one
can be retired. A fault is a sentence without its full stop, empty where there is none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from ledger.authority.state import AuthorityState
from ledger.events.recipes import RecipeApproved, RecipeDrafted, RecipeRejected, RecipeRetired
from ledger.governance.requirements import person_of

RecipeState = Literal["draft", "approved", "rejected", "retired"]
_ENDED: Final[dict[str, RecipeState]] = {
    RecipeApproved.TYPE: "approved",
    RecipeRejected.TYPE: "rejected",
    RecipeRetired.TYPE: "retired",
}


class ShelvedRecipe(NamedTuple):
    """One version of a recipe: where it was drafted and by which actor, and its state."""

    recipe: str
    number: int
    position: int
    digest: str
    """Empty where its body is not there."""
    author: str
    state: RecipeState = "draft"
    changed_at: int = 0
    """The position of the event that made its state so; 0 for a draft."""

    def __str__(self) -> str:
        """Return it as sentences say it."""
        return f"version {self.number} of {self.recipe}"


@dataclass(frozen=True, slots=True)
class RecipeShelf:
    """All recipes; a value."""

    versions: Mapping[tuple[str, int], ShelvedRecipe] = field(default_factory=dict)
    newest: Mapping[str, int] = field(default_factory=dict)
    """The number of the newest version of each recipe."""

    def approved(self, recipe: str) -> int:
        """Return the number of the newest approved version of a recipe; 0 where there is none."""
        found = (
            one.number
            for one in self.versions.values()
            if one.recipe == recipe and one.state == "approved"
        )
        return max(found, default=0)

    def applied(
        self, position: int, stream: str, type_: str, actor: str, data: Mapping[str, Any] | None
    ) -> "RecipeShelf":
        """Return the shelf after an event of a recipe; without `data` its body is not there."""
        recipe = stream.partition("/")[2]
        if type_ == RecipeDrafted.TYPE:
            number = self.newest.get(recipe, 0) + 1
            digest = "" if data is None else data["digest"]
            drafted = ShelvedRecipe(recipe, number, position, digest, actor)
            return RecipeShelf(
                {**self.versions, (recipe, number): drafted}, {**self.newest, recipe: number}
            )
        if data is None:
            return self
        state = _ENDED[type_]
        changed = {
            named: one._replace(state=state, changed_at=position)
            for named, one in self.versions.items()
            if one.recipe == recipe
            and data["version"] in {None, one.number}
            and one.state not in {"retired", state}
        }
        return RecipeShelf({**self.versions, **changed}, self.newest)


def step_fault(
    shelf: RecipeShelf, authority: AuthorityState, type_: str, actor: str, data: Mapping[str, Any]
) -> str:
    """Return why a recipe's next event may not be; whether its document is sound is for others."""
    return _JUDGES[type_](shelf, authority, actor, data)


def use_fault(shelf: RecipeShelf, recipe: str, number: int, digest: str) -> str:
    """Return why no job may be made by a version under this digest."""
    one = shelf.versions.get((recipe, number))
    if one is None:
        return f"{recipe} has no version {number}"
    if one.digest != digest:
        return f"{one} has the digest {one.digest}, and not {digest}"
    if one.state == "draft":
        return f"{one} is not approved"
    return "" if one.state == "approved" else f"{one} was {one.state} at position {one.changed_at}"


def _drafted_fault(
    shelf: RecipeShelf, _authority: AuthorityState, actor: str, data: Mapping[str, Any]
) -> str:
    expected = shelf.newest.get(data["recipe"], 0) + 1
    if actor.startswith("system/"):
        return f"{actor} drafted it, and a person or a service does"
    if data["version"] != expected:
        return f"it is called version {data['version']}, and the next one is {expected}"
    return ""


def _approved_fault(
    shelf: RecipeShelf, authority: AuthorityState, actor: str, data: Mapping[str, Any]
) -> str:
    if fault := _judged_fault(shelf, actor, data):
        return fault
    author = shelf.versions[data["recipe"], data["version"]].author
    if person_of(authority, actor) == person_of(authority, author):
        return f"the person {person_of(authority, actor)} is its author: another person approves it"
    return ""


def _rejected_fault(
    shelf: RecipeShelf, _authority: AuthorityState, actor: str, data: Mapping[str, Any]
) -> str:
    return _judged_fault(shelf, actor, data)


def _judged_fault(shelf: RecipeShelf, actor: str, data: Mapping[str, Any]) -> str:
    """Return why a person cannot decide about a draft."""
    one = shelf.versions.get((data["recipe"], data["version"]))
    if one is None:
        return f"{data['recipe']} has no version {data['version']}"
    if not actor.startswith("users/"):
        return f"{actor} is not a person"
    if one.digest != data["digest"]:
        return f"{one} has the digest {one.digest}, and not {data['digest']}"
    if one.state != "draft":
        return f"{one} was {one.state} at position {one.changed_at}"
    return ""


def _retired_fault(
    shelf: RecipeShelf, _authority: AuthorityState, actor: str, data: Mapping[str, Any]
) -> str:
    recipe, number = data["recipe"], data["version"]
    if actor.startswith("system/"):
        return f"{actor} retired it, and a person or a service does"
    if number is None:
        left = [one for one in shelf.versions.values() if one.recipe == recipe]
        if not left:
            return f"there is no recipe {recipe}"
        is_over = all(one.state == "retired" for one in left)
        return f"every version of {recipe} was retired" if is_over else ""
    one = shelf.versions.get((recipe, number))
    if one is None:
        return f"{recipe} has no version {number}"
    return f"{one} was retired at position {one.changed_at}" if one.state == "retired" else ""


_Judge = Callable[[RecipeShelf, AuthorityState, str, Mapping[str, Any]], str]
_JUDGES: Final[dict[str, _Judge]] = {
    RecipeDrafted.TYPE: _drafted_fault,
    RecipeApproved.TYPE: _approved_fault,
    RecipeRejected.TYPE: _rejected_fault,
    RecipeRetired.TYPE: _retired_fault,
}

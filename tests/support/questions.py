"""The statements that a ledger reads by while something is done."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from tests.support.hooks import database_of
from tests.support.world import World


def questions(world: World, do: Callable[[], object]) -> list[str]:
    """Return the statements that are asked while `do` runs, but for the writer's own."""
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:  # noqa: ANN401 - the hook's
        asked.append(statement)

    reader = database_of(world.store).reader
    event.listen(reader, "before_cursor_execute", note)
    try:
        do()
    finally:
        event.remove(reader, "before_cursor_execute", note)
    return asked

"""The table of authority for people: a letter for each role, so that it fits a terminal."""

import textwrap
from string import ascii_letters
from typing import TYPE_CHECKING, Final

from ledger.cli import output

if TYPE_CHECKING:
    from ledger.operations.authority import AuthorityTable

WIDTH: Final = 100
_LEGEND_COLUMNS: Final = 4


def shown_table(found: "AuthorityTable") -> str:
    """Return the roles by their letters, and for each action the letters of the roles with it."""
    letters = dict(zip(found.roles, ascii_letters, strict=False))
    legend = [f"{letter} {role}" for role, letter in letters.items()]
    rows = [legend[at : at + _LEGEND_COLUMNS] for at in range(0, len(legend), _LEGEND_COLUMNS)]
    rows[-1] += [""] * (len(rows[0]) - len(rows[-1]))
    heading = "".join(letters.values())
    left = max(len(one.action) for one in found.actions) + len(heading) + 4
    lines = []
    for one in found.actions:
        cells = "".join(letter if role in one.roles else "-" for role, letter in letters.items())
        meaning, *more = textwrap.wrap(one.meaning, WIDTH - left)
        lines += [(one.action, cells, meaning), *(("", "", rest) for rest in more)]
    matrix = output.table(("ACTION", heading, "MEANING"), lines)
    return f"{output.table(('ROLES', *[''] * (len(rows[0]) - 1)), rows)}\n\n{matrix}"

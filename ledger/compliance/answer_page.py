"""All answers as one page, in the style of the other pages: no script, and nothing is loaded."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ledger.compliance.inquiry import Answer
from ledger.compliance.questions import QUESTIONS
from ledger.compliance.tables import stacked

_ROWS_MAX: Final = 200
"""Of one table: a page is for reading, and files have the rest."""


class ShownAnswer(NamedTuple):
    """A question as the page shows it."""

    name: str
    text: str
    answer: Answer


def answers_page(
    answers: Mapping[str, Answer],
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    unit: str = "",
) -> bytes:
    """Return one page with all the answers; `facts` are the lines of its head."""
    from ledger import pages  # noqa: PLC0415 - a client alone has no Jinja

    environment = pages.environment("ledger.compliance", "templates")
    environment.filters["stacked"] = stacked
    shown = [ShownAnswer(name, QUESTIONS[name].text, given) for name, given in answers.items()]
    template = environment.get_template("answers.html.jinja")
    return template.render(
        title=title, facts=facts, answers=shown, unit=unit, rows_max=_ROWS_MAX
    ).encode()

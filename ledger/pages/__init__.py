"""Pages for people: one style for screen, dark and paper; no script, and nothing is loaded.

A page extends `page.html.jinja`, which carries the style, and fills its blocks. Every text may come
from the writer of an event, so everything is escaped. Equal arguments give equal bytes.
"""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from ledger.events import notation
from ledger.events.inert import harmless


def grouped(number: int) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}".replace(",", "\u202f")


def environment(package: str, folder: str) -> Environment:
    """Return what renders the templates of a package's folder in the one style."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package, folder), PackageLoader("ledger.pages", "")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "grouped": grouped,
        "percent": notation.percent,
        "budget_name": notation.budget_name,
        "shown_time": notation.shown_time,
    }
    return made

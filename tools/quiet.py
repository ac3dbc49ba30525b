"""Settings of a server that records nothing unasked: what is signed or sealed was asked for."""

from collections import defaultdict
from typing import Any

from ledger.setting_sections import Settings


def quiet(database: str, **named: object) -> Settings:
    """Return settings that serve a database; others are named as in the environment, in lower case.

    `checkpoints__seconds=1.0` is what LEDGER_CHECKPOINTS__SECONDS=1.0 would be.
    """
    sections: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    by_the_clock = dict.fromkeys(
        (
            "checkpoints__seconds",
            "seals__seconds",
            "refusals__seconds",
            "accounts__seconds",
            "access__seconds",
        ),
        0.0,
    )
    usual = {"storage__database": database, "access__recorded": (), **by_the_clock}
    for name, value in {**usual, **named}.items():
        section, _, field = name.partition("__")
        sections[section][field] = value
    return Settings.model_validate(sections)

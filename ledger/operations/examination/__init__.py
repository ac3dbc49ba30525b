"""Examination of an installation, its database and its server: `doctor`, as a function."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check; the remedy is empty if nothing needs doing."""

    name: str
    state: State
    found: str
    remedy: str = ""
    is_integrity: bool = False

"""How an operation that takes long says how far it has come."""

from collections.abc import Callable
from typing import TypeAlias

Move: TypeAlias = Callable[[int, int], None]
"""Told how much is done, of how much."""

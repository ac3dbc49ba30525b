"""An event-sourced decision ledger for retraining machine-learning models."""

from typing import Final

__version__: Final = "0.1.0"

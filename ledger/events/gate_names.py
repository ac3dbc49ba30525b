"""The gates of a job by name; recipes have some of them, and policies add criteria to some."""

from typing import Final, Literal, get_args

GateName = Literal[
    "data_integrity",
    "representativeness",
    "candidate",
    "training",
    "holdout",
    "approval",
    "deployment",
    "observation",
]
GATES: Final[tuple[GateName, ...]] = get_args(GateName)
"""Every gate, in the one order in which a job passes them. A recipe has some of them."""

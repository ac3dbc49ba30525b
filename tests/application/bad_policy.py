"""A row of the table of bad policies, and the ledger that all of them are judged against."""

from typing import Final, NamedTuple

from ledger.governance.requirements import AbleToApprove
from tests.application.policy_texts import DEFAULT
from tests.support.explained import explained_text

KNOWN: Final = ("input-stability", "latency", "log-loss")
_HOLDERS: Final = {
    "auditor": frozenset({"eve"}),
    "policy-approver": frozenset({"bo", "eve"}),
    "model-owner": frozenset({"bo"}),
    "policy-author": frozenset[str](),
    "risk": frozenset({"bo", "cy"}),
}
ABLE: Final = AbleToApprove(policies=_HOLDERS, jobs=_HOLDERS)
AUTHORS: Final = frozenset({"cy"})
SOURCES: Final = {"input-stability": 1, "log-loss": 2}


ADVICE: Final = {
    "DECIMALS_ROUNDED",
    "HALF_LIFE_TOO_LONG",
    "HOLD_ALWAYS_TRUE",
    "LIMIT_IS_PPM",
    "LOSS_NOT_SCORED",
    "MEANING_CHANGED",
    "PLAN_ADMITS_NOTHING",
    "RULES_MISSING",
    "SOURCES_NOT_FOUND",
    "STEP_ADMITS_NOTHING",
    "STEP_BELOW_PERIOD",
    "STEP_FOR_NONE",
    "TIER_UNUSED",
}
"""Codes that are for a person to judge under any format; `--strict` refuses them."""


class Bad(NamedTuple):
    """One text and what is wrong with it."""

    name: str
    code: str
    line: int
    column: int
    old: str
    new: str

    @property
    def text(self) -> str:
        """The whole text."""
        if not self.old:
            return self.new
        assert self.old in DEFAULT, self.name
        return DEFAULT.replace(self.old, self.new, 1)

    @property
    def newest(self) -> str:
        """The text under the newest format, but of what only the first one lacks."""
        if self.code == "FORMAT_LACKS" or "format: policy/1" not in self.text:
            return self.text
        return explained_text(self.text)

"""What comes of an escalation is derived again, and not believed.

Method: as in `test_forgeries`.
"""

from pathlib import Path

from tests.audit.paper import Paper
from tests.support.audits import audited


def test_an_escalation_goes_on_to_the_tier_that_follows_and_to_no_other(
    long_paper: Paper, tmp_path: Path
) -> None:
    paper = long_paper
    found = paper.find("escalation.escalated.v1", model="delta")[0]
    paper.at(found).data["route"] = "a drawer"
    vkeys = (str(paper.key.verifier_key),)
    report = audited(paper.write(tmp_path / "paper.db"), vkeys=vkeys)
    assert [(one.rule, one.position) for one in report.findings] == [("cases.time", found)]

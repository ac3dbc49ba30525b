"""A job without a plan says that the margin of its policy could not be judged.

Method: a ledger in one process whose policy asks for a margin; a person proposes a job under it.
"""

import json
from pathlib import Path

from ledger.events.jobs import JobProposed
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.job_worlds import Working
from tests.support.world import World, policy_text

ASKING = {"jobs": {"budget": "optional", "margin": "20%"}}


def test_a_person_s_job_says_whether_its_policy_asks_for_a_margin(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta")
    working = Working.of(world)
    working.propose("before", "alpha")
    world.activate(json.dumps(json.loads(governed(policy_text())) | ASKING))
    working.propose("under", "beta")
    assert [(one.job, one.margin) for one in world.all_of(JobProposed)] == [
        ("before", "none"),
        ("under", "not_judged"),
    ]
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()

"""Every ground on which a version may serve has its words, in the export and in each answer.

Method: every ground that an event may state is looked up; a ledger in one process whose policy
wants gates takes in its first version, and all that can be asked of it is asked.
"""

from pathlib import Path
from typing import get_args

import pytest

from ledger.compliance.deployments import BASES
from ledger.compliance.facts import FactFilter
from ledger.compliance.files import write_tables
from ledger.compliance.inquiry import Inquiry
from ledger.compliance.questions import answer_all
from ledger.compliance.report import TABLES, tables_of
from ledger.compliance.tables import as_records
from ledger.events.models import DeploymentBasis
from tests.application.test_gated_deployments import FIRST, GATED
from tests.support.facts import facts_of
from tests.support.world import World


@pytest.mark.parametrize("basis", get_args(DeploymentBasis))
def test_every_ground_of_a_deployment_has_words_of_its_own(basis: str) -> None:
    assert BASES[basis]
    assert len(set(BASES.values())) == len(BASES) == len(get_args(DeploymentBasis))


def test_a_version_that_was_taken_in_is_exported_and_told(tmp_path: Path) -> None:
    world = World(tmp_path / "l.sqlite").begin("other", policy=GATED)
    world.register("alpha")
    world.deploy("alpha", "v1", at=FIRST)
    found = facts_of(world)
    world.close()
    tables = tables_of(found, FactFilter())
    assert write_tables(tables, tmp_path / "out", "html", title="All", facts=())
    [*_, row] = as_records(TABLES["deployments"](found, FactFilter()))
    assert (row["model"], row["model_version"], row["basis"], row["reason"]) == (
        "alpha", "v1", "taken in as the first on record", None,
    )  # fmt: skip
    given = answer_all(found, Inquiry(model="alpha"))
    assert "v1 serves since" in given["roll-back"].said[0]
    assert given["incidents"].said[0].endswith("0 incidents, after 0 of 1 deployment.")

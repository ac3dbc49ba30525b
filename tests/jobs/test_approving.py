"""The people who approve a job are others than those who proposed it and who carried it out."""

from tests.support.job_stories import BOB, EVE, Story


def test_a_person_who_carried_a_job_out_does_not_approve_its_deployment() -> None:
    story = Story()
    assert not story.propose()
    assert not story.approve(BOB)
    assert not story.lease("users/eve-2")
    for name in ("data_integrity", "candidate", "holdout"):
        assert not story.report("users/eve-2", name)
    assert "is the person who carried it out" in story.approve(EVE, "deployment", "model-owner")
    assert not story.approve(BOB, "deployment", "model-owner")

"""A step of a job asks the database as little among many jobs as among few."""

from tests.application.conftest import MakeWorld
from tests.support.job_worlds import Working
from tests.support.questions import questions


def life(working: Working, job: str) -> None:
    """Take a job from its proposal to its end, at the second gate."""
    working.propose(job, job)
    working.approve(job)
    token = working.lease(job)
    working.report("data_integrity", token, job)
    working.report("candidate", token, job, loss=500)


def asked(make_world: MakeWorld, before: int) -> list[str]:
    """Return the statements of a job's life behind those of so many jobs."""
    names = [f"m{number}" for number in range(before + 1)]
    world = make_world(f"of-{before}").begin(*names)
    working = Working.of(world)
    for name in names[:-1]:
        life(working, name)
    return questions(world, lambda: life(working, names[-1]))


def test_a_job_asks_as_many_questions_behind_many_jobs_as_behind_one(
    make_world: MakeWorld,
) -> None:
    few, many = asked(make_world, 1), asked(make_world, 12)
    assert sorted(few) == sorted(many)
    assert len(many) < 70  # 5 steps, and a look at the job at each report, which is the test's

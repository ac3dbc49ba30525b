"""What every test shares: how hypothesis draws, what may not pass by being skipped, and memory.

Fixtures live in tests/support, next to what they build.
"""

import gc
import os
from collections.abc import Generator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from ledger.api.grpc_environment import IS_TLS_13_ALONE
from tests.support.in_memory import keep_files_in_memory

assert IS_TLS_13_ALONE, "gRPC was loaded before, so that servers with TLS would not be made"
keep_files_in_memory()
pytest_plugins = ["tests.support.stores", "tests.support.served"]

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# No deadlines: two busy cores say nothing about the code. In CI the same examples are drawn every
# time, so that a red run is about the change; at a developer's they differ, so that we learn.
settings.register_profile("dev", deadline=None, max_examples=60)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if IN_CI else "dev")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Generator[None]:
    """Undo what a command that served in this process set for all who log."""
    yield
    structlog.reset_defaults()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what CI would otherwise skip for want of PostgreSQL: half the promises hang on it."""
    report = yield
    if IN_CI and report.skipped and item.get_closest_marker("postgres"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {report.longrepr}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, so that they do not run alone at the end."""
    items.sort(key=lambda item: "test_bench" not in item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among thousands of tests, which are kept to the end.

    To do so again and again was a tenth of the whole run. What a test makes is garbage as ever.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()

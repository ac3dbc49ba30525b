"""The steps of plans in policies that are made up, as they are stored."""

from typing import Any

from hypothesis import strategies as st


def plan_steps() -> st.SearchStrategy[dict[str, Any]]:
    """Draw steps, at least one of them."""
    steps = st.fixed_dictionaries({"concurrency": st.none() | st.integers(1, 1_000_000)})
    return steps.filter(lambda one: any(value is not None for value in one.values()))

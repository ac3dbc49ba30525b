"""What a policy may ask of jobs, drawn for property tests."""

from typing import Any, Final

from hypothesis import strategies as st

from ledger.events.gate_names import GATES

CRITERIA: Final = ('metrics["missing"] < 20000', 'candidate["loss"] < champion["loss"]', "true")


@st.composite
def jobs_parts(
    draw: st.DrawFn, segments: st.SearchStrategy[str], prose: st.SearchStrategy[str]
) -> dict[str, Any]:
    """Draw the part in its stored form."""
    roles = draw(st.lists(segments, max_size=2, unique=True))
    names = draw(st.lists(segments, max_size=3, unique=True))
    return {
        "budget": draw(st.sampled_from(["required", "optional"])),
        "candidate_test": draw(st.sampled_from(["required", "optional"])),
        "approvals": [{"role": role, "count": draw(st.integers(1, 10))} for role in roles],
        "criteria": [
            {
                "gate": draw(st.sampled_from(GATES)),
                "name": name,
                "when": draw(st.sampled_from(CRITERIA)),
                "rationale": draw(prose),
            }
            for name in names
        ],
        "margin_ppm": draw(st.none() | st.integers(0, 10_000_000)),
        "deployments": draw(st.sampled_from(("any", "gated"))),
    }

"""Why recorded decisions came out so, told from events alone: no store and no server.

The writer of a bundle and its verifiers, and compliance tables of a bundle, tell it by this.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ledger.application.decisions.decisions import explained
from ledger.events.decisions import MADE, ScoreComputed
from ledger.events.policy_document import DOCUMENTS

Data = Mapping[str, Any]


def reason_of(made: Data, scored: Data, drafted: Data) -> str:
    """Return what `decision explain` says of a decision, by the data of its events.

    Empty where that cannot be told: where the score is not the decision's, say, or the events hold
    what this service does not write.
    """
    try:
        document = drafted["document"]
        form = DOCUMENTS[document["format"], document["decision"]["procedure"]]
        rules = form.model_validate(document).decision
        decision = MADE[made["procedure"]].from_data(made)
        return explained(decision, ScoreComputed.from_data(scored), rules).paragraph
    except (ValidationError, LookupError, TypeError, ValueError, AssertionError):
        return ""

"""The JSON Schema of a policy's text, for editors that complete and check it.

`policy_schema.json` is its committed text; `python -m tools.catalog` writes it. It cannot say what
only the whole shows (names used twice, windows that are no whole number of buckets, expressions):
`decision-ledger policy lint` can.
"""

import json
from typing import Any

from ledger.application.documents.schema import json_schema_of
from ledger.application.policies.authoring import AuthoredPolicy


def schema_text() -> str:
    """Return the text of `policy_schema.json`."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the schema of a policy as a YAML or JSON reader delivers it."""
    return json_schema_of(AuthoredPolicy, "Retraining policy, formats policy/1 and policy/2")

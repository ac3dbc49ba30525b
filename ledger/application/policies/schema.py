"""The JSON Schema of a policy's text, for editors that complete and check it.

`policy_schema.json` is its committed text; `python -m tools.catalog` writes it. It cannot say what
only the whole shows (names used twice, windows that are no whole number of buckets, expressions):
`decision-ledger policy lint` can.
"""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from ledger.application.policies.authoring import AuthoredPolicy


class _PolicySchema(GenerateJsonSchema):
    """Allows null where a value may be left out: both mean the same."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema of a value that has a default."""
        made = super().default_schema(schema)
        default = {"default": made.pop("default")} if "default" in made else {}
        forms = made.pop("anyOf", None) or [made]
        null = {"type": "null"}
        return default | {"anyOf": [*(form for form in forms if form != null), null]}

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - for all fields
        """Fields have names; titles that repeat them are noise."""
        return False


def schema_text() -> str:
    """Return the text of `policy_schema.json`."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the schema of a policy as a YAML or JSON reader delivers it."""
    # As it is written out: defaults are stated in the units of people.
    made = AuthoredPolicy.model_json_schema(
        by_alias=False, schema_generator=_PolicySchema, mode="serialization"
    )
    heading = {"$schema": GenerateJsonSchema.schema_dialect}
    return heading | made | {"title": "Retraining policy, formats policy/1 and policy/2"}

"""The JSON Schema of a document's text, for editors that complete and check it."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from ledger.application.documents.authored import Authored


class _DocumentSchema(GenerateJsonSchema):
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


def json_schema_of(model: type[Authored], title: str) -> dict[str, Any]:
    """Return the schema of a document as a YAML or JSON reader delivers it."""
    # As it is written out: defaults are stated in the units of people.
    made = model.model_json_schema(
        by_alias=False, schema_generator=_DocumentSchema, mode="serialization"
    )
    heading = {"$schema": GenerateJsonSchema.schema_dialect}
    return heading | made | {"title": title}

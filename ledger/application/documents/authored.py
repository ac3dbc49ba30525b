"""A document as people write it: each field with its unit, its default and, under it, its meaning.

Reading, writing and the JSON Schema all follow the fields of a model, so they cannot disagree. A
field whose stored name differs says so as its alias.
"""

from typing import get_args

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo

from ledger.application.documents.source import Mapping, Node, Scalar
from ledger.application.documents.units import NULLS, Entries, RefusedValueError, Unit
from ledger.events.notation import listed


class Authored(BaseModel):
    """A mapping of a document's text, made of the tree that `source` reads or by code."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _written(cls, node: object) -> object:
        """Return the values that were written, without those that mean the same as left out."""
        if isinstance(node, dict | Authored):  # code states it, or it is the default of the whole
            return node
        fields = cls.model_fields
        if not isinstance(node, Mapping):
            message = f"expected a mapping with {listed(list(fields))}"
            raise RefusedValueError("VALUE_TYPE", message)
        return {
            key.text: value
            for key, value in node.entries
            if key.text not in fields or not _is_left_out(value, fields[key.text])
        }


def unit_of(field: FieldInfo) -> Unit | None:
    """Return how a single value is read and written; None for a mapping or a list."""
    return next((each for each in field.metadata if isinstance(each, Unit)), None)


def entries_of(field: FieldInfo) -> Entries | None:
    """Return the bounds of a list; None for anything else."""
    return next((each for each in field.metadata if isinstance(each, Entries)), None)


def item_unit_of(field: FieldInfo) -> Unit | None:
    """Return how each value of a list is read and written; None for anything else."""
    if entries_of(field) is None:
        return None
    inner = get_args(get_args(field.annotation)[0])
    return next((each for each in inner if isinstance(each, Unit)), None)


def part_of(field: FieldInfo) -> type[Authored] | None:
    """Return the model of a mapping, or of each mapping in a list; None for a single value."""
    for found in (field.annotation, *get_args(field.annotation)):
        if isinstance(found, type) and issubclass(found, Authored):
            return found
    return None


def keys_of(model: type[Authored], above: str = "") -> dict[str, str]:
    """Return the path of every list of mappings, with the value that tells its entries apart."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        entries, part = entries_of(field), part_of(field)
        if part is None:
            continue
        if entries is not None:
            found[above + name] = entries.key
        found |= keys_of(part, f"{above}{name}.")
    return found


def _is_left_out(node: Node, field: FieldInfo) -> bool:
    """Say whether a written value means the same as one left out."""
    if not isinstance(node, Scalar) or not node.is_plain:
        return False
    may_be_none = unit_of(field) is None or field.default is None
    return node.text in NULLS or (may_be_none and node.text == "none")

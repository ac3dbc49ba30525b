"""The JSON Schemas of documents that people write, as the package ships them.

They are read as files, so that a machine with a client alone has them too.
"""

from importlib.resources import files
from typing import Literal


def document_schema(noun: Literal["policy", "recipe"]) -> str:
    """Return the JSON Schema of a noun's documents as a text, without its last line end."""
    folder = {"policy": "policies", "recipe": "recipes"}[noun]
    shipped = files("ledger.application") / folder / f"{noun}_schema.json"
    return shipped.read_text(encoding="utf-8").rstrip("\n")

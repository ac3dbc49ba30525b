"""The JSON Schema agrees with the reader: what one takes the other takes, but for a few known gaps.

Method: the committed text is current; the example validates; single faults that the schema can see
are seen by both.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ledger.application.policies import schema as schemas
from ledger.application.policies.text import parse, read_policy, to_text

DEFAULT = (Path(__file__).parent / "default_policy.yaml").read_text(encoding="utf-8")
VALIDATOR = Draft202012Validator(schemas.json_schema())


def accepts(text: str) -> bool:
    return bool(VALIDATOR.is_valid(yaml.safe_load(text)))


def test_the_schema_is_valid_and_its_committed_text_is_current() -> None:
    Draft202012Validator.check_schema(schemas.json_schema())
    committed = Path(schemas.__file__).with_name("policy_schema.json")
    assert committed.read_text(encoding="utf-8") == schemas.schema_text()


def test_the_example_fits_as_written_and_as_rendered() -> None:
    assert accepts(DEFAULT)
    assert accepts(to_text(parse(DEFAULT)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format: policy/1", "format: policy/3"),
        ("title:", "tilte:"),
        ("weight: 80%", "weight: 1.5"),
        ("weight: 80%", "weight: [1]"),
        ("bucket: 1d", "bucket: 1 day"),
        ("bucket: 1d", "bucket: ''"),
        ("sample_cap: 1000", "sample_cap: 0"),
        ("sample_cap: 1000", "sample_cap: many"),
        ("action: INVESTIGATE", "action: RETRAIN"),
        ("signal: log-loss", "signal: Log loss"),
        ("combine: weighted_mean", "combine: mean"),
        ("      critical: 0.60\n", ""),
        ("  loss_signal: log-loss\n", "  reserve: 1\n"),
    ],
)
def test_schema_and_reader_refuse_alike(old: str, new: str) -> None:
    text = DEFAULT.replace(old, new, 1)
    assert text != DEFAULT
    assert not accepts(text)
    assert read_policy(text).document is None


def test_every_value_of_the_schema_is_described_and_every_mapping_closed() -> None:
    schema = schemas.json_schema()

    def meaning(value: dict[str, Any]) -> str:
        referred = schema["$defs"].get(value.get("$ref", "").rpartition("/")[2], {})
        return str((referred | value)["description"])

    def walk(node: Any, path: str) -> None:  # noqa: ANN401 - a schema
        if isinstance(node, dict):
            if "properties" in node:
                assert node["additionalProperties"] is False, path
                for name, value in node["properties"].items():
                    assert meaning(value).endswith("."), f"{path}.{name}"
            for key, value in node.items():
                walk(value, f"{path}.{key}")
        elif isinstance(node, list):
            for value in node:
                walk(value, path)

    walk(schema, "$")


def test_the_schema_states_each_default_as_people_write_it() -> None:
    properties = schemas.json_schema()["$defs"]["AuthoredSignal"]["properties"]
    stated = {name: each["default"] for name, each in properties.items() if "default" in each}
    known = {"weight": "100%", "window": "28d", "breach": "30%", "sample_cap": 1000}
    assert {name: stated[name] for name in known} == known
    assert properties["weight"]["description"].startswith("How much the signal counts")
    defaults = "".join(f"      {name}: {value}\n" for name, value in stated.items() if value)
    bare = (
        "format: policy/1\ntitle: A\nscoring:\n  signals:\n"
        "    - signal: a\n      baseline: 0\n      critical: 1\n"
    )
    assert parse(bare + defaults) == parse(bare)

"""The images and the Compose file of `tools/container`, taken apart."""

import json
import re
import shutil
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tools" / "container"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
IMAGES = {"ledger": "service", "worker": "step"}
"""Which image a service of the Compose file runs."""


class Instruction(NamedTuple):
    """An instruction of a Dockerfile, and in which stage."""

    stage: int
    word: str
    text: str

    @property
    def listed(self) -> list[str]:
        found: list[str] = json.loads(self.text)
        return found


@cache
def instructions(image: str) -> tuple[Instruction, ...]:
    """Return a Dockerfile taken apart: comments left out, continued lines joined."""
    lines = (FOLDER / f"Dockerfile.{image}").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    found, stage = [], -1
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, rest = line.partition(" ")
        stage += word == "FROM"
        found += [Instruction(stage, word, rest.strip())] if word else []
    return tuple(found)


def last(image: str, word: str) -> Instruction:
    """Return the last instruction of a kind: the one that counts."""
    return [one for one in instructions(image) if one.word == word][-1]


def given_to(image: str, folder: Path) -> Path:
    """Copy what a build is given: all that the ignore file of its Dockerfile lets through."""
    lines = (FOLDER / f"Dockerfile.{image}.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    for rule in rules[1:]:
        if rule.startswith("!"):
            for path in sorted(ROOT.glob(rule[1:])):
                copy(path, folder / path.relative_to(ROOT), rules)
    return folder


def copy(path: Path, place: Path, rules: list[str]) -> None:
    left_out = [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]
    if path.is_dir():
        shutil.copytree(path, place, ignore=shutil.ignore_patterns(*left_out))
    elif not any(fnmatch(path.name, one) for one in left_out):
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)

"""The golden instances of recipes and benchmark models: each step of their life once."""

from typing import Final

from ledger.application.recipes.lint import lint_recipe
from ledger.events.base import EventData
from ledger.events.recipes import (
    BenchmarkRegistered,
    BenchmarkRetired,
    RecipeApproved,
    RecipeRejected,
    RecipeRetired,
)
from tools.golden_proving import Appender

RECIPE: Final = """\
format: recipe/1
title: Retrain on recent data
rationale: Small enough to follow by hand.
run:
  image: registry.example.com/retrain@sha256:{digest}
  argv: [python, -m, retrain, --weeks, "8"]
parameters:
  - name: learning-rate
    value: "0.05"
    meaning: Step size of the optimiser.
environment: [MODEL_STORE]
inputs:
  - name: recent
    meaning: The last eight weeks of labelled rows.
outputs:
  - name: model
    meaning: The trained model.
expected:
  cost: 40
  test: 4
  unit: EUR
  duration: 45m
limits:
  time: 2h
  memory: 8 GiB
  attempts: 2
gates:
  - gate: data_integrity
    metrics:
      - name: missing
        unit: ppm
        meaning: Rows without a label.
    samples:
      - name: rows
        meaning: Rows of the snapshot.
    criteria:
      - name: few-missing
        when: metrics["missing"] <= 20000 && samples["rows"] >= 500
        rationale: More than 2% without labels was a broken feed each time.
  - gate: candidate
    metrics:
      - name: log-loss
        unit: micro-nats
        meaning: Mean log loss on rows that the candidate did not see.
        of: versions
    samples:
      - name: rows
        meaning: Rows compared.
    criteria:
      - name: better
        when: candidate["log-loss"] * 100 <= champion["log-loss"] * 95 && samples["rows"] >= 500
        rationale: Five per cent pays for the work.
  - gate: holdout
    metrics:
      - name: log-loss
        unit: micro-nats
        meaning: Mean log loss on the data kept apart.
        of: versions
    samples:
      - name: rows
        meaning: Rows of the data kept apart.
    criteria:
      - name: no-worse
        when: candidate["log-loss"] <= champion["log-loss"] && samples["rows"] >= 500
        rationale: A gain must hold on data that was kept apart.
    holdout:
      name: spring
      max_uses: 20
  - gate: approval
    approvals:
      - role: model-owner
  - gate: deployment
  - gate: observation
    metrics:
      - name: log-loss
        unit: micro-nats
        meaning: Mean log loss in service.
    samples:
      - name: rows
        meaning: Rows observed in service.
    criteria:
      - name: holds
        when: samples["rows"] < 100 || metrics["log-loss"] <= 600000
        rationale: Beyond that the version before was better.
    window: 7d
    evidence_after: 90%
""".format(digest="ab" * 32)


def run(ledger: Appender) -> None:
    """Take each step in the life of recipes and of a benchmark once."""
    minutes = iter(range(60))

    def note(data: EventData, actor: str) -> None:
        at = f"2026-12-01T10:{next(minutes):02d}:00.000000Z"
        ledger.append(data, data.stream_name, at, actor=actor)

    first = lint_recipe(RECIPE).draft("weekly", 1, "The first recipe.")
    second = lint_recipe(RECIPE.replace("attempts: 2", "attempts: 3")).draft(
        "weekly", 2, "One attempt more."
    )
    named = {"recipe": "weekly", "digest": first.digest}
    note(first, "users/ada")
    note(
        RecipeApproved(
            **named, version=1, meaning="reviewed_and_approved", comment="The limits fit."
        ),
        "users/bo",
    )
    note(
        RecipeRejected(
            recipe="weekly", version=2, digest=second.digest, reason="Two attempts are enough."
        ),
        "users/bo",
    )
    note(RecipeRetired(recipe="weekly", version=1, reason="Its image is too old."), "users/ada")
    model, version = "fraud-eu", "2026-02"
    note(
        BenchmarkRegistered(
            model=model, model_version=version, kind="benchmark", artifact="cd" * 32,
            trained_through="2026-01-31T00:00:00.000000Z", baseline_loss="0.41",
            note="A logistic regression that needs no tuning.",
        ),
        "users/ada",
    )  # fmt: skip
    note(
        BenchmarkRetired(
            model=model, model_version=version, kind="benchmark", reason="Its features are gone."
        ),
        "users/ada",
    )

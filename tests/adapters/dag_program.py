"""Runs beside Airflow: a DAG whose sensor takes a job, and whose operators run the steps of it.

WANTED says as JSON which: `steps` in their order, for each of them what its run reports beside what
passes, and `skips`. It lies in the folder of DAGs. As a program it runs the DAG once, as `airflow
dags test` does, and writes for each task its state and its result, and the orders of all steps.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from ledger.adapters.airflow import JobSensor, JobStepOperator
from ledger.environment import environment_record, snapshot

RAN = Path("orders.jsonl")


def step(behaviour: dict[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return what a step does: it notes its order and reports numbers that pass, or others."""
    seconds = behaviour.pop("seconds", 0)

    def run(order: Mapping[str, Any]) -> dict[str, Any]:
        with RAN.open("a") as file:
            file.write(json.dumps(order) + "\n")
        time.sleep(seconds)  # it works
        report: dict[str, Any] = {"cost_micros": 1_000_000}
        for where, number in (("metrics", 1), ("samples", 50), ("champion", 90), ("candidate", 40)):
            report[where] = dict.fromkeys(order["asked"][where], number)
        if order["task"] == "training":
            Path("model.bin").write_bytes(b"weights")
            data = [snapshot("rows", "model.bin", rows=1)]
            report["artifacts"] = {"model": "model.bin"}
            report["environment"] = environment_record(data=data, seed=7)
        if order["task"] == "deployment":
            report["version"] = {
                "model_version": "of-airflow",
                "trained_through": "2026-01-01T00:00:00Z",
                "baseline_loss": "0.4",
            }
        return report | behaviour

    return run


def retraining(wanted: dict[str, Any]) -> DAG:
    """Return the DAG."""
    with DAG(dag_id="retraining", schedule=None) as dag:
        sensor = JobSensor(
            task_id="job", recipe="weekly", state=wanted.get("state", "ready"),
            poke_interval=0.1, timeout=wanted.get("timeout", 30),
        )  # fmt: skip
        last: Any = sensor
        for name, behaviour in wanted["steps"].items():
            task = JobStepOperator(
                task_id=name, step=name, job=sensor.output, run=step(behaviour),
                skips=wanted.get("skips", False), retries=0,
            )  # fmt: skip
            last >> task
            last = task
    return dag


def main() -> None:
    """Run the DAG once."""
    ran = DAG_HERE.test()
    told = {
        one.task_id: [str(one.state), one.xcom_pull(task_ids=one.task_id)]
        for one in ran.get_task_instances()
    }
    orders = [json.loads(line) for line in RAN.read_text().splitlines()] if RAN.exists() else []
    answer = {"state": str(ran.state), "tasks": told, "orders": orders}
    Path("answer.json").write_text(json.dumps(answer))


DAG_HERE = retraining(json.loads(os.environ["WANTED"]))

if __name__ == "__main__":
    main()

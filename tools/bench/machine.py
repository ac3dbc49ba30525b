"""The machine that figures were taken on: without it they mean nothing elsewhere."""

import os
import platform
import sqlite3
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tools.bench.rows import load_average, median, percentile

_FSYNCS: Final = 200
_PAGE: Final = bytes(4096)


def fsync_seconds(folder: Path) -> list[float]:
    """Return how long it takes to append a page to a file and have it on the disk, many times."""
    path = folder / "fsync"
    samples = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            started = time.perf_counter()
            file.write(_PAGE)
            os.fsync(file.fileno())
            samples.append(time.perf_counter() - started)
    path.unlink()
    return samples


def machine(folder: Path) -> dict[str, Any]:
    """Return what is known of the machine and of what runs on it."""
    syncs = fsync_seconds(folder)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "grpcio": version("grpcio"),
        "fsync_median_ms": round(median(syncs) * 1000, 3),
        "fsync_p99_ms": round(percentile(syncs, 99) * 1000, 3),
        "load_before": load_average(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"

"""The confidence report of a job for people: the facts of its head, and its tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from ledger.compliance.files import html_page
from ledger.compliance.jobs import numbers
from ledger.compliance.tables import Table, table_of
from ledger.events.notation import counted, duration, money, percent, rounded_money, shown_time
from ledger.jobs.environments import code_words, packages_words, version_words, where_words
from ledger.jobs.forecast_words import error_words, forecast_words

Report = Mapping[str, Any]


def report_title(report: Report) -> str:
    """Return what a report is of."""
    return f"Job {report['job']} of {report['model']}: {_ended(report)}"


def _ended(report: Report) -> str:
    return str(report["outcome"] or report["state"]).replace("_", " ")


def report_facts(report: Report, digest: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of its head: name and value."""
    cost, time = report["cost"], report["time"]
    yield "ledger", report["ledger"]
    yield "run", report["run"]
    yield "recipe", f"{report['recipe']} version {report['recipe_version']}"
    yield "ground", _ground(report)
    if report["why"]:
        yield "end", report["why"]
    yield "version", _version(report)
    for gain in report["gains"]:
        yield f"gain at {_gate(gain)}", gain_text(gain)
    for one in report["gates"]:
        if one["rests_on"]:
            yield _gate(one), one["rests_on"]
    for one in report["observed"]:
        yield f"observed {one['signal']}", observed_text(one)
    if report["realised"] is not None:
        yield "benefit", _benefit(report)
    yield "cost", _cost(cost)
    if cost["expected_test_micros"] != "0":
        yield "test", _test(cost)
    yield "forecast", forecast_words(report["forecast"], cost["unit"])
    if cost["forecast_error_micros"] is not None:
        yield "error", f"the cost is {_error(cost)}"
    if time["seconds"] is not None:
        taken, expected = duration(time["seconds"]), duration(time["expected_seconds"])
        yield "time", f"{taken} of {expected} expected"
    yield "attempts", f"{time['attempts']}, of which {time['lost']} lost"
    yield "positions", f"{report['first']} to {report['last']}"
    yield "digest", digest


def _ground(report: Report) -> str:
    plan = f"the plan at position {report['plan']}" if report["plan"] else report["proposer"]
    decided = report["decision"]
    return plan + (f", by the decision at position {decided}" if decided else "")


def _version(report: Report) -> str:
    if report["version"] is None:
        return "none was deployed"
    before = report["replaces"] or "no version"
    gone = ", and taken back" if report["is_rolled_back"] else ""
    if (lapsed := report["lapsed"]) is not None:
        version = lapsed["model_version"]
        gone = ", until its model was retired"
        if version is not None:
            gone = f", until {version} served in its place"
    return f"{report['version']}, in the place of {before}{gone}"


def _cost(cost: Report) -> str:
    actual, expected = int(cost["actual_micros"]), int(cost["expected_micros"])
    off = cost["difference_ppm"]
    by = "" if off is None else f", {_signed(off)}"
    so_far = "" if cost["is_final"] else " so far"
    return f"{money(actual, cost['unit'])}{so_far} of {money(expected, cost['unit'])} expected{by}"


def _test(cost: Report) -> str:
    """Return what the test of the candidate cost, which is a part of the whole."""
    expected = f"{money(int(cost['expected_test_micros']), cost['unit'])} expected for it"
    if cost["test_micros"] is None:
        return f"not reported, of {expected}"
    return f"{money(int(cost['test_micros']), cost['unit'])} of the cost, of {expected}"


def _error(cost: Report) -> str:
    error = int(cost["forecast_error_micros"])
    return error_words(error, cost["unit"], is_within=cost["is_within_forecast"])


def _signed(ppm: int) -> str:
    return f"{'+' if ppm > 0 else ''}{percent(ppm)}"


def _gate(one: Report) -> str:
    return str(one["gate"]).replace("_", " ")


def gain_text(gain: Report) -> str:
    """Return what was gained in a metric, with its interval, as one line."""
    unit = gain["unit"]
    said = f"{gain['metric']} {gain['champion']} to {gain['candidate']} {unit}"
    change = f"{gain['change']:+d} {unit}"
    if gain["change_ppm"] is not None:
        change += f", {_signed(gain['change_ppm'])}"
    size = f", {counted(gain['size'], 'row')}" if gain["sample"] == "rows" else ""
    if gain["sample"] not in (None, "rows"):
        size = f", {gain['sample']} {gain['size']}"
    if gain["method"] is None:
        return f"{said} ({change}; its interval is not known{size})"
    return f"{said} ({change}; 95% interval {gain['low']:+d} to {gain['high']:+d}{size})"


def observed_text(one: Report) -> str:
    """Return what the ledger itself observed of a signal in the window, as one line."""
    if one["mean_micros"] is None:
        return "nothing in the window of the version"
    seen = counted(one["observations"], "observation")
    said = f"{money(int(one['mean_micros']))} on {counted(int(one['rows']), 'row')} of {seen}"
    if one["compared_mean_micros"] is None:
        return f"{said}; none of the version before on the same rows"
    new, old = money(int(one["compared_mean_micros"])), money(int(one["replaced_mean_micros"]))
    return f"{said}; {new} against {old} before, on {counted(int(one['compared_rows']), 'row')}"


def _benefit(report: Report) -> str:
    """Return the benefit in the window beside the one that was forecast."""
    realised, unit = report["realised"], report["cost"]["unit"]
    said = (
        f"{rounded_money(int(realised['benefit_micros']), unit)} by {realised['signal']} on "
        f"{counted(int(realised['rows']), 'row')} of its window"
    )
    expected = report["forecast"]["benefit_micros"]
    return said if expected is None else f"{said}, {rounded_money(int(expected), unit)} forecast"


def report_tables(report: Report) -> list[Table]:
    """Return its tables."""
    return [
        _gates(report),
        _not_tested(report),
        _gains(report),
        _environments(report),
        _data(report),
        _approvals(report),
        _files(report),
    ]


def _gates(report: Report) -> Table:
    rows = [
        one
        | {
            "gate": _gate(one),
            "said": " ".join(each["sentence"] for each in one["criteria"]),
            "samples": numbers(one["samples"]),
            "metrics": numbers(one["metrics"]),
        }
        for one in report["gates"]
    ]
    return table_of(
        "gates",
        "Gates",
        (
            ("gate", "text", "which gate, in their order"),
            ("state", "text", "how it was judged"),
            ("said", "prose", "each criterion with the numbers that it read"),
            ("samples", "text", "sizes of the samples"),
            ("metrics", "text", "numbers of the run, beside those of both versions"),
            ("executor", "text", "who reported"),
            ("evidence", "integer", "where the evidence is recorded"),
            ("verdict", "integer", "where the verdict is recorded"),
        ),
        rows,
        page=(
            ("Gate", ("gate", "state")),
            ("Criteria", ("said",)),
            ("Reported", ("executor", "metrics", "samples")),
            ("Recorded", ("verdict", "evidence")),
        ),
    )


def _not_tested(report: Report) -> Table:
    return table_of(
        "not_tested",
        "Not tested",
        (("not_tested", "prose", "what this report says nothing about, and why"),),
        [(one,) for one in report["not_tested"]],
    )


def _gains(report: Report) -> Table:
    return table_of(
        "gains",
        "Both versions compared",
        (
            ("gate", "text", "at which gate"),
            ("metric", "text", "which metric"),
            ("unit", "text", "its unit, of all numbers here"),
            ("champion", "integer", "of the version in service"),
            ("candidate", "integer", "of the new one"),
            ("change", "integer", "the new one less the one in service"),
            ("change_share_ppm", "share", "that of the value of the one in service"),
            ("low", "integer", "lower bound of the 95% interval of the change"),
            ("high", "integer", "upper bound"),
            ("method", "text", "how the interval was made"),
            ("size", "integer", "size of the sample"),
            ("meaning", "prose", "what the recipe says that it is"),
        ),
        [one | {"gate": _gate(one), "change_share": one["change_ppm"]} for one in report["gains"]],
    )


def _environments(report: Report) -> Table:
    rows = [
        {
            "gate": _gate(one),
            "attempt": one["attempt"],
            "ran_in": where_words(one),
            "code": code_words(one),
            "packages": ", ".join(packages_words(one)),
            "versions": ", ".join(version_words(one)),
            "position": one["position"],
        }
        for one in report["environments"]
    ]
    return table_of(
        "environments",
        "Environments",
        (
            ("gate", "text", "the step of which gate"),
            ("attempt", "integer", "in which attempt"),
            ("ran_in", "prose", "the container image, or interpreter and platform"),
            ("code", "prose", "commit of the code, and digest of its files"),
            ("packages", "text", "how many were installed, and their digest"),
            ("versions", "prose", "schema, features, architecture, seed, order of the rows"),
            ("position", "integer", "where that is recorded"),
        ),
        rows,
        page=(
            ("Gate", ("gate", "attempt")),
            ("Ran in", ("ran_in", "packages")),
            ("Code", ("code", "versions")),
            ("Recorded", ("position",)),
        ),
    )


def _data(report: Report) -> Table:
    return table_of(
        "data",
        "Data",
        (
            ("name", "text", "the data as they were read"),
            ("rows", "integer", "how many rows they have"),
            ("sha256", "text", "their SHA-256"),
            ("gate", "text", "by the step of which gate"),
            ("position", "integer", "where that is recorded"),
        ),
        [
            snapshot | {"gate": _gate(one), "position": one["position"]}
            for one in report["environments"]
            for snapshot in one["snapshots"]
        ],
    )


def _approvals(report: Report) -> Table:
    return table_of(
        "approvals",
        "Approvals",
        (
            ("actor", "text", "who approved"),
            ("stage", "text", "that it begins, or that it is deployed"),
            ("role", "text", "in which role"),
            ("at", "time", "when"),
            ("position", "integer", "where it is recorded"),
        ),
        report["approvals"],
    )


def _files(report: Report) -> Table:
    return table_of(
        "artifacts",
        "Artifacts",
        (
            ("name", "text", "the file"),
            ("sha256", "text", "its SHA-256"),
            ("gate", "text", "with the evidence for which gate it was reported"),
            ("position", "integer", "where that is recorded"),
        ),
        [one | {"gate": _gate(one)} for one in report["artifacts"]],
    )


def report_page(report: Report, digest: str) -> bytes:
    """Return a report as one page."""
    facts = list(report_facts(report, digest))
    return html_page(report_title(report), facts, report_tables(report), report["cost"]["unit"])


def until(report: Report) -> str:
    """Return up to when a report tells, as a sentence."""
    return f"As of {shown_time(report['time']['until'])}, position {report['last']}."

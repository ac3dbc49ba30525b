"""A line for every command there is, to be run against a server that is prepared as `told` is."""

from pathlib import Path

from tests.support.served import OFFICER, POLICY, START
from tools.golden_recipes import RECIPE

DESCRIBED = ("--owner", "stays", "--unit-value", "0.000005", "--cost", "9")
DEFINED = ("--kind", "drift", "--unit", "share", "--direction", "higher-is-worse")
ERASED = ("--ground", "GDPR", "--authority", "the board", "--actor", OFFICER)
DEPLOYED = ("--baseline-loss", "0.40", "--trained-through", "2026-01-01")
ONE = ("--signal", "log-loss", "--value", "0.5", "--observed-at", str(START * 1_000_000))

LINES: dict[str, tuple[str, ...]] = {
    "doctor": (),
    "verify": (),
    "why": ("fares",),
    "priorities": ("--since", "10"),
    "evaluate": ("fares",),
    "vkey": (),
    "completion": ("bash",),
    "erase": ("--positions", "3", *ERASED, "--yes"),
    "signal define": ("missing", *DEFINED, "--meaning", "Missing rows."),
    "signal show": ("log-loss",),
    "signal list": (),
    "signal standard": (),
    "signal states": (),
    "signal submit": (),
    "signal submit --model": ("fares", *ONE),
    "model register": ("rooms", *DESCRIBED),
    "model update": ("fares", "--tier", "high"),
    "model deploy": ("hotels", "v2", *DEPLOYED, "--in-service-at", "2026-02-01"),
    "model retire": ("hotels", "--reason", "gone"),
    "model show": ("fares",),
    "model list": (),
    "policy init": (),
    "policy schema": (),
    "policy lint": ("-",),
    "policy diff": ("default", "default"),
    "policy try": ("default",),
    "policy draft": ("other", "-", "--rationale", "why"),
    "policy shadow": ("default", "1", "--for", "1d", "--rationale", "why"),
    "policy shadows": (),
    "policy activate": ("default", "1", "--rationale", "why", "--model", "hotels"),
    "policy review": ("default",),
    "policy status": ("default",),
    "policy show": ("default",),
    "policy list": (),
    "recipe schema": (),
    "recipe lint": ("-",),
    "recipe draft": ("weekly", "-", "--rationale", "why"),
    "recipe list": (),
    "benchmark register": ("fares", "v0", "--sha256", "ab" * 32),
    "benchmark list": (),
    "plan make": ("--budget", "75.50"),
    "plan put-backs": (),
    "plan reuse": (),
    "plan schedule": ("default", "--every", "7d", "--budget", "75.50"),
    "plan schedules": (),
    "plan show": ("week-1",),
    "plan list": (),
    "budget set": ("main", "--every", "7d", "--refill", "500", "--unit", "EUR"),
    "budget list": (),
    "decision list": (),
    "decision show": ("fares",),
    "decision override": ("fares", "--action", "investigate", "--reason", "x", "--expires", "7d"),
    "decision explain": ("fares",),
    "decision replay": ("fares",),
    "decision replay --all": (),
    "escalation list": (),
    "job list": (),
    "task list": (),
    "log tail": (),
    "log access": (),
    "log checkpoint": (),
    "log checkpoint --list": (),
    "log prove": ("3",),
    "log consistency": (),
    "log seal": (),
    "log publish": (),
    "key list": (),
    "key rotate": ("--overlap", "5"),
    "key revoke": ("--reason", "lost"),
    "key pin": (),
    "authority table": (),
    "authority why": ("users/ana", "signals.submit"),
    "authority list": (),
    "token list": (),
    "audit run": (),
    "audit answer": ("why", "--model", "fares"),
    "audit answer --all": (),
    "audit controls": (),
    "drill record": ("lost-key", "--scenario", "The key is lost.", "--by", "staff-1"),
    "drill list": (),
    "drill run": ("lost-key",),
    "compliance export": (),
    "certificate dev": (),
    "witness key": ("--name", "witness.example"),
    "decision receipt": ("fares",),
    "export create": (),
    "export list": (),
    "projection status": (),
    "projection rebuild": ("signals",),
    "notification list": (),
    "notification dead": (),
    "ledger create": ("ledger.example/two",),
    "ledger list": (),
    "ledger show": (),
}

ELSEWHERE = {
    "serve",
    "worker",
    "ledger confirm-clock",
    "ledger adopt",
    "key reseal",
    "witness serve",
    "escalation acknowledge",
    "escalation resolve",
    "model roll-back",
    "job show",
    "job report",
    "run show",
    "run verify",
    "job propose",
    "job approve",
    "job deny",
    "job cancel",
    "job give-up",
    "job reproduce",
    "task take",
    "task close",
    "budget show",
    "budget forecast",
    "budget overspend",
    "export delete",
    "notification replay",
    "notification test",
    "policy sign-off",
    "policy submit",
    "policy approve",
    "policy withdraw",
    "policy reject",
    "policy ratify",
    "policy rollback",
    "policy retire",
    "policy unshadow",
    "policy compare",
    "recipe approve",
    "recipe reject",
    "recipe retire",
    "recipe show",
    "benchmark retire",
}
"""What servers print, and what needs a file first, is run where that is tested."""


def words_of(name: str, folder: Path, key: str, size: int, *, database: str = "") -> list[str]:
    """Return the words of a command; `key` and `size` are of a signed checkpoint.

    What it writes is put into the folder, where the database is unless another is named.
    """
    database = database or str(folder / "ledger.sqlite")
    places = {
        "log consistency": (str(size),),
        "log publish": (str(folder / "tiles"),),
        "key revoke": (key, "--from", str(size)),
        "key pin": (key,),
        "doctor": ("--db", database),
        "audit run": (database,),
        "drill run": ("--db", database),
        "compliance export": (str(folder / "tables"),),
        "certificate dev": (str(folder / "trial"),),
        "witness key": ("--folder", str(folder / "witness")),
        "decision receipt": (str(folder / "receipt.json"),),
        "export create": (str(folder / "bundle"),),
    }
    return [*name.split(), *LINES[name], *places.get(name, ())]


def stdin_of(name: str) -> str | None:
    """Return what a command reads from its standard input."""
    if name == "signal submit":
        return f"model,signal,value,observed_at\nfares,log-loss,0.5,{START * 1_000_000}\n"
    if name.startswith("recipe"):
        return RECIPE
    return POLICY if name.startswith("policy") else None

"""`decision-ledger completion`: what a shell needs to complete commands, options and ids.

Ids come from the server that the line names. A shell waits for them at each press of a key, so a
server that does not answer within a second completes nothing, and no failure is shown.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ledger.cli.session import Session, session

if TYPE_CHECKING:
    from ledger.client import LedgerClient

_SECONDS: Final = 1.0
_IDS_MAX: Final = 1_000
_FOR_A_CALL: Final = (
    "config",
    "server",
    "ledger",
    "actor",
    "tls_ca",
    "tls_certificate",
    "tls_key",
    "token_file",
)
VARIABLE: Final = "_DECISION_LEDGER_COMPLETE"


class Shell(StrEnum):
    """The shells that are known here."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")],
) -> None:
    """Print the lines that let a shell complete commands, options and ids.

    For bash put `eval "$(decision-ledger completion bash)"` into ~/.bashrc, for zsh the same into
    ~/.zshrc after compinit; for fish write the lines to a file in ~/.config/fish/completions.
    """
    from typer._completion_shared import get_completion_script

    script = get_completion_script(
        prog_name="decision-ledger", complete_var=VARIABLE, shell=shell.value
    )
    session().show({"shell": shell.value, "script": script}, script)


def _models(client: "LedgerClient") -> Iterable[str]:
    return (one.model for one in client.list_models())


def _signals(client: "LedgerClient") -> Iterable[str]:
    return (one.signal for one in client.list_signals())


# By the name of a parameter, in any command.
IDS: Final[dict[str, Callable[["LedgerClient"], Iterable[str]]]] = {
    "decision": _models,
    "escalation": lambda client: (one.model for one in client.list_escalations().escalations),
    "export": lambda client: (one.name for one in client.list_exports()),
    "ledger": lambda client: (one.origin for one in client.list_ledgers()),
    "model": _models,
    "models": _models,
    "plan": lambda client: (one.plan for one in client.list_plans()),
    "policy": lambda client: (one.policy for one in client.list_policies()),
    "projection": lambda client: (one.projection for one in client.list_projections()),
    "recipe": lambda client: (one.recipe for one in client.list_recipes()),
    "signal": _signals,
    "slo_signal": _signals,
    "subscriber": lambda client: (one.name for one in client.list_subscribers()),
    "job": lambda client: (one.job for one in client.list_jobs()),
    "task": lambda client: (one.model for one in client.list_tasks().tasks),
}


def completed(ctx: Any, parameter: Any, incomplete: str) -> list[str]:  # noqa: ANN401 - of typer
    """Return the ids that complete what was typed of a parameter; none where none can be had."""
    try:
        with _session_of(ctx).client as client:
            found = {
                name for name, _ in zip(IDS[parameter.name](client), range(_IDS_MAX), strict=False)
            }
    except Exception:  # noqa: BLE001 - a shell shows nothing of it
        return []
    return sorted(name for name in found if name.startswith(incomplete))


def _session_of(ctx: Any) -> Session:  # noqa: ANN401 - as above
    """Return a session with the options on the line, and a short time limit."""
    stated = ctx.find_root().params
    made = Session(deadline_seconds=_SECONDS)
    for name in _FOR_A_CALL:
        setattr(made, name, stated.get(name))
    return made

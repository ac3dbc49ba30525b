"""The rules of the ledger format for the body of every event, of any type.

The envelope only: exact keys, actor, cause and ids. What `data` holds is the business of the type,
which a verifier need not know.
"""

from typing import Any, Final

from ledger.events.canonical import CanonicalError, decode
from ledger.events.values import ACTOR, REQUEST_ID, RUN_ID

BODY_KEYS: Final = frozenset({"actor", "causation_position", "data", "request_id", "run_id"})


def body_fault(body: bytes, position: int) -> str:
    """Return what is wrong with the stored body of the event at position; empty if nothing is."""
    try:
        value = decode(body)
    except CanonicalError as error:
        return f"the body is {error}"
    if type(value) is not dict or value.keys() != BODY_KEYS:
        return f"the body does not have exactly the keys {', '.join(sorted(BODY_KEYS))}"
    return _field_fault(value, position)


def _field_fault(body: dict[str, Any], position: int) -> str:
    """Return what is wrong with one of a body's fields; empty if nothing is."""
    actor, cause, request_id, run_id = (
        body[key] for key in ("actor", "causation_position", "request_id", "run_id")
    )
    if type(actor) is not str or ACTOR.fullmatch(actor) is None:
        return f"{str(actor)[:160]!r} is not an actor"
    if cause is not None and (type(cause) is not int or not 1 <= cause < position):
        return f"the causation position {str(cause)[:40]} is not that of an earlier event"
    if request_id is not None and (
        type(request_id) is not str or REQUEST_ID.fullmatch(request_id) is None
    ):
        return f"{str(request_id)[:160]!r} is not a request id"
    if run_id is not None and (type(run_id) is not str or RUN_ID.fullmatch(run_id) is None):
        return f"{str(run_id)[:160]!r} is not a run id"
    if type(body["data"]) is not dict:
        return "the body's data is not an object"
    return ""

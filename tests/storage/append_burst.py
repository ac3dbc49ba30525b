"""One server of several: appends so many requests to a ledger, then ends. Run by a test.

Arguments: URL, name of the server, number of requests. Every tenth request is one that all servers
send, so that only the first of them may be recorded.
"""

import sys

from ledger.clock import SystemClock
from ledger.events.envelope import encode_body
from ledger.storage import AppendRequest, NewEvent, open_store
from ledger.storage.vault import Vault

ORIGIN = "ledger.example.com/fraud"


def main(url: str, name: str, count: int) -> None:
    """Append one request after the other, several under way at a time."""
    store = open_store(url, SystemClock(), create=True, vault=Vault(bytes(range(32))))
    body = encode_body(actor="users/ada", data={"server": name})
    waiting = []
    for number in range(count):
        shared = number % 10 == 0
        request = AppendRequest(
            ORIGIN,
            "users/ada",
            "Burst",
            [NewEvent(f"models/m{number % 3}", "model.updated.v1", body)] * (1 + number % 4),
            request_id=f"all-{number}" if shared else f"{name}-{number}",
        )
        waiting.append(store.requests.submit(request))
        if len(waiting) == 4:
            waiting.pop(0).result()
    for future in waiting:
        future.result()
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

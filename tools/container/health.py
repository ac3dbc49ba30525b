"""Ask the server in this container, on the operator's socket, whether it serves: exit code 0 if so.

Standard gRPC health, without TLS and without a credential: the socket is its user's alone.
"""

import os
import sys
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SECONDS = 4.0


def main() -> int:
    """Ask once."""
    channel = grpc.insecure_channel(f"unix:{os.environ['LEDGER_SERVER__SOCKET']}")
    stub: Any = health_pb2_grpc.HealthStub(channel)  # its stubs know no methods
    try:
        status = stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS).status
    except grpc.RpcError as error:
        print(f"The server does not answer: {error.code().name}.")
        return 1
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(status)
    print(f"The server says {name}.")
    return 0 if name == "SERVING" else 1


if __name__ == "__main__":
    sys.exit(main())

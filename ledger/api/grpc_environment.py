"""Choices that gRPC reads from the environment when it is loaded, and has no other option for.

*TLS 1.3 alone.* grpcio lets no server state a least version, and takes 1.2. It does read the
ciphers for 1.2 and below. The one that is named here needs a secret shared beforehand, and there is
none: no handshake below 1.3 succeeds. The ciphers of 1.3 are not chosen by it.

*No lines of its own.* Bytes that a stranger sends to the port would fill the log otherwise.
"""

import os
import sys
from typing import Final

_CIPHERS: Final = "GRPC_SSL_CIPHER_SUITES"
_NONE_BELOW_13: Final = "ECDHE-PSK-CHACHA20-POLY1305"

IS_TLS_13_ALONE: Final = "grpc" not in sys.modules or os.environ.get(_CIPHERS) == _NONE_BELOW_13
"""False where a program has loaded gRPC before: a server with TLS is refused there."""

os.environ[_CIPHERS] = _NONE_BELOW_13
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

"""A TLS connection that is always closed, even if its other end hangs up as it is made."""

import socket
import ssl


def connected(context: ssl.SSLContext, host: str, port: int, seconds: float) -> ssl.SSLSocket:
    """Return a connection to a host, before its handshake; OSError where there is none.

    `seconds`: for each address of the host, and for each wait that follows.

    The socket is TLS's before it is connected: of one that was connected first, and whose other end
    has hung up by then, `ssl` keeps the descriptor and lets no caller close it.
    """
    failure: OSError = ConnectionError(f"{host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
        plain = socket.socket(family, kind, protocol)
        plain.settimeout(seconds)
        link = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        try:
            link.connect(address)
        except OSError as error:
            link.close()
            failure = error
        else:
            return link
    raise failure

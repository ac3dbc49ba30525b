"""The cause for which client and server do not come to terms, in a sentence.

gRPC says UNAVAILABLE for every one of them, with words of its library, or none. So the
server is looked at once more: the certificate that it shows, and whether it goes on after ours.
"""

import ssl
from typing import Final

from cryptography import x509

from ledger.certificate_files import names_of, shown_time
from ledger.client.errors import ClientError, TransportError, UnreachableError
from ledger.client.options import ClientOptions
from ledger.client.security import Security
from ledger.client.target import SECURE, Target
from ledger.events.inert import inert
from ledger.tls_socket import connected

_LOOK_SECONDS: Final = 2.0
_PLAIN_ANSWER: Final = "WRONG_VERSION_NUMBER"


def explained(options: ClientOptions, failure: ClientError) -> ClientError:
    """Return a failure with its cause, where that is the security of the connection.

    Connects to the server once or twice more, for two seconds each at most.
    """
    place = options.place
    if type(failure) is not UnreachableError or not place.host:
        return failure
    found = _of_tls(options, failure.why, place) if place.is_secure else _of_plain(place)
    return failure if found is None else TransportError(options.target, *found)


def _of_plain(place: Target) -> tuple[str, str] | None:
    if certificate_shown(place) is None:
        return None
    return (
        f"{place.address} is served over TLS, and this client came without",
        f"Write {SECURE}{place.address}, and state its CA (--tls-ca) unless the system knows it.",
    )


def _of_tls(options: ClientOptions, why: str, place: Target) -> tuple[str, str] | None:
    where = place.address
    if _PLAIN_ANSWER in why:
        return (
            f"{where} answers without TLS",
            "Have it served with a certificate; HOST:PORT without TLS options is for loopback.",
        )
    certificate = certificate_shown(place)
    if certificate is None:
        return None
    if "has expired" in why:
        end = shown_time(certificate.not_valid_after_utc)
        return f"The certificate of {where} has expired, on {end}", "Its operator has to renew it."
    if "not yet valid" in why:
        begin = shown_time(certificate.not_valid_before_utc)
        return (
            f"The certificate of {where} is valid from {begin} on only",
            "Check this machine's clock, and ask the server's operator.",
        )
    if "Verification Check failed" in why:
        names = ", ".join(inert(name) for name in names_of(certificate)[:8]) or "no name at all"
        return (
            f"The certificate of {where} is for {names}, and not for {place.host}",
            f"Connect by one of its names, or have {place.host} added to it.",
        )
    if "CERTIFICATE_VERIFY_FAILED" in why:
        issuer = inert(certificate.issuer.rfc4514_string()) or "no name"
        known = f"{options.security.ca} holds" if options.security.ca else "this system knows"
        return (
            f"The certificate of {where} is issued by {issuer}, which is no CA that {known}",
            "Make sure that this is the right server, then state the file of its CA (--tls-ca).",
        )
    return _of_caller(options, place)


def _of_caller(options: ClientOptions, place: Target) -> tuple[str, str] | None:
    """Return why a server ends a connection after its handshake; None where it does not."""
    if not _is_closed(place, options.security):
        return None
    identity = options.security.identity
    if identity is None:
        return (
            f"{place.address} asks for a certificate of its callers, and none was stated",
            "State it and its key (--tls-certificate, --tls-key), or call the address for tokens.",
        )
    refused = f"{place.address} refuses {options.security.certificate}"
    end = identity.leaf.not_valid_after_utc
    if options.clock.now_micros() > end.timestamp() * 1_000_000:
        return f"{refused}, which has expired, on {shown_time(end)}", "Have a new one issued."
    return (
        f"{refused}, which {inert(identity.leaf.issuer.rfc4514_string())} has issued",
        "Use one of a CA that the server takes (its `server.tls.client_ca`).",
    )


def certificate_shown(place: Target) -> x509.Certificate | None:
    """Return the certificate that a server shows, be it right or wrong; None where it has none."""
    try:
        with _connected(place, _blind()) as shown:
            data = shown.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(data) if data else None
    except (OSError, ValueError):
        return None


def _is_closed(place: Target, security: Security) -> bool:
    """Return whether a server hangs up on a caller that shows what it has: gRPC speaks first."""
    context = _blind()
    try:
        if security.certificate is not None and security.key is not None:
            context.load_cert_chain(security.certificate, security.key)
        with _connected(place, context) as shown:
            return not shown.recv(1)
    except TimeoutError:
        return False
    except ssl.SSLError:
        return True
    except (OSError, ValueError):
        return False


def _blind() -> ssl.SSLContext:
    """Return what connects to any server: to look at what it shows, never to tell it anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


def _connected(place: Target, context: ssl.SSLContext) -> ssl.SSLSocket:
    link = connected(context, place.host, place.port, _LOOK_SECONDS)
    try:
        link.do_handshake()
    except BaseException:
        link.close()
        raise
    return link

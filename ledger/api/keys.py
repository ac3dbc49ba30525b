"""LedgerService, the keys that sign: which there are, the next one, and one that is lost."""

from typing import Final

import grpc

from ledger.api.calls import Desk
from ledger.api.checks import Checks
from ledger.api.convert import proofs as convert
from ledger.api.convert.basics import appended
from ledger.chain.keys import KeyFormatError, VerifierKey
from ledger.v1 import ledger_service_pb2 as pb

_OVERLAP_DEFAULT: Final = 1_000
_OVERLAP_MAX: Final = 1_000_000_000
_KEY_CHARS_MAX: Final = 1_000


class KeyMethods:
    """The methods of LedgerService about signing keys."""

    _desk: Desk

    def ListKeys(
        self, request: pb.ListKeysRequest, context: grpc.ServicerContext
    ) -> pb.ListKeysResponse:
        """List the keys by their first position."""
        keys = self._desk.backend.ledger(request.ledger).attestation.keys.keys()
        return pb.ListKeysResponse(
            keys=[convert.key(record) for record in keys.records],
            next_key_digest=keys.next_key_digest,
        )

    def RotateKey(
        self, request: pb.RotateKeyRequest, context: grpc.ServicerContext
    ) -> pb.RotateKeyResponse:
        """Let the committed key take over."""
        self._desk.operator_only(context, "rotate a signing key")
        checks = Checks()
        overlap = request.overlap if request.HasField("overlap") else _OVERLAP_DEFAULT
        if not 0 <= overlap <= _OVERLAP_MAX:
            checks.refuse("overlap", f"must be from 0 to {_OVERLAP_MAX}")
        checks.done()
        ledger = self._desk.backend.ledger(request.ledger)
        caller = self._desk.caller(request, request.request_id, "RotateKey", context)
        changed = ledger.attestation.keys.rotate(caller, overlap)
        return pb.RotateKeyResponse(
            appended=appended(changed.written), key=convert.key(changed.key)
        )

    def RevokeKey(
        self, request: pb.RevokeKeyRequest, context: grpc.ServicerContext
    ) -> pb.RevokeKeyResponse:
        """Declare that a key's signatures count for nothing from a size on."""
        self._desk.operator_only(context, "revoke a signing key")
        checks = Checks()
        _verifier_key(checks, request.verifier_key)
        if request.from_position == 0:
            checks.refuse("from_position", "is required")
        checks.position("from_position", request.from_position)
        checks.text("reason", request.reason)
        checks.done()
        ledger = self._desk.backend.ledger(request.ledger)
        vkey, first, reason = request.verifier_key, request.from_position, request.reason
        caller = self._desk.caller(request, request.request_id, "RevokeKey", context)
        changed = ledger.attestation.keys.revoke(caller, vkey, first, reason)
        return pb.RevokeKeyResponse(
            appended=appended(changed.written), key=convert.key(changed.key)
        )


def _verifier_key(checks: Checks, text: str) -> None:
    """Require a key in its text form."""
    if not checks.present("verifier_key", text):
        return
    if len(text) > _KEY_CHARS_MAX:
        checks.refuse("verifier_key", f"is {len(text)} characters long")
        return
    try:
        VerifierKey.parse(text)
    except KeyFormatError as error:
        checks.refuse("verifier_key", str(error))

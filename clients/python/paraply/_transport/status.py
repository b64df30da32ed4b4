"""What a gRPC status says, for people."""

from __future__ import annotations

from paraply._transport.base import TransportError

#: What to do about what BoringSSL says of a handshake.
_HINTS = {
    "WRONG_VERSION_NUMBER": "it speaks plain text: name it as a 'tcp' endpoint, without 'tls:'",
    "CERTIFICATE_VERIFY_FAILED": (
        "its certificate has expired, or is by no authority that is trusted here (PARAPLY_CA, or 'ca' of the connection file)"
    ),
    "Hostname Verification Check failed": (
        "say what name its certificate is for, if this is the right service (PARAPLY_SERVER_NAME, or 'server_name' of the "
        "endpoint)"
    ),
    "CERTIFICATE_REQUIRED": "it asks for a certificate: name one with PARAPLY_CERT and PARAPLY_KEY",
}


def transport_error(code: str, details: str | None) -> TransportError:
    """The error of a call that ended with a status, with what to do about it where that is known."""
    message = details or "the connection failed"
    hint = next((hint for sign, hint in _HINTS.items() if sign in message), None)
    return TransportError(code, f"{message}; {hint}" if hint else message)

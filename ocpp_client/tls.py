"""TLS as a pure stream: bytes of the wire in, bytes of the conversation out, on `ssl.SSLObject` over two memory BIOs.

Here: TLS 1.2 or newer with the cipher suites of security profiles 2 and 3 (security whitepaper for 1.6; 2.x part 2,
block A), the check of the server's chain and name, the station's own certificate, and the exact reason of a failure,
for people and for the security log. Not here: installing certificates, writing the security log, sockets.

asyncio's own TLS keeps 256 KiB of buffers a connection; this keeps what OpenSSL needs.
"""

from __future__ import annotations

import contextlib
import enum
import ssl
from typing import Any, Final, Literal
from weakref import WeakValueDictionary

import msgspec

# ECDHE first; the plain RSA pair is named by the specification for stations and CSMSs without it. TLS 1.3 has its own.
CIPHERS: Final = ":".join(
    exchange + cipher
    for exchange in ("ECDHE-ECDSA-", "ECDHE-RSA-", "")
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384")
)
_SLICE: Final = 4096  # bytes; a memory BIO keeps the room of the most it ever held


class TlsProfile(msgspec.Struct, frozen=True):
    """What to trust and what to show. Links with equal profiles share one context; files are read when it is made."""

    ca_pem: str = ""  # roots as PEM text; neither this nor ca_file: the roots of the operating system
    ca_file: str = ""
    certificate_file: str = ""  # own chain (profile 3), PEM; an expired one is shown all the same
    key_file: str = ""  # its key, PEM
    check_name: str = ""  # the name the server's certificate must carry; "": the host of the URL
    minimum: Literal["1.2", "1.3"] = "1.2"
    allow_wildcards: bool = False  # 2.x SecurityCtrlr.AllowCSMSTLSWildcards
    generation: int = 0  # count up when a file has got new content: links to come shall read it


class TlsFault(enum.Enum):
    """Why there is no TLS.

    The first six mean the server's certificate (security events InvalidCsmsCertificate and, in 1.6,
    InvalidCentralSystemCertificate); then come InvalidTLSVersion and InvalidTLSCipherSuite; the rest are none.
    """

    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_NAME = "wrong_name"
    UNKNOWN_CA = "unknown_ca"
    REVOKED = "revoked"
    BAD_CERTIFICATE = "bad_certificate"
    VERSION = "version"
    CIPHER = "cipher"
    OWN_CERTIFICATE = "own_certificate"  # the server wants one, or does not like ours
    NOT_TLS = "not_tls"
    CUT = "cut"  # the connection ended during the handshake
    FILES = "files"  # certificates or keys of our own cannot be loaded
    OTHER = "other"


class TlsFailure(msgspec.Struct, frozen=True):
    fault: TlsFault
    text: str  # for people


class TlsStream:
    """One TLS connection of ours. After `receive` the owner sends what `take` gives and looks at the public fields."""

    __slots__ = ("_in", "_name", "_out", "_ssl", "_wildcards", "ended", "failure", "secured")

    def __init__(self, profile: TlsProfile, host: str) -> None:
        """Raises OSError (ssl.SSLError is one) or ValueError if certificates cannot be loaded."""
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._name = profile.check_name or host
        self._wildcards = profile.allow_wildcards
        self._ssl = context_for(profile).wrap_bio(self._in, self._out, server_hostname=self._name)
        self.secured = False  # the handshake is over
        self.ended = False  # the server said that it sends no more
        self.failure: TlsFailure | None = None

    def start(self) -> bytes:
        """The first bytes to send."""
        self._shake()
        return self._out.read()

    def take(self) -> bytes:
        """Bytes that TLS itself wants sent: handshake, alerts."""
        return self._out.read() if self._out.pending else b""

    def receive(self, data: bytes | memoryview) -> bytes:
        """Bytes of the wire in, of the conversation out. Never raises for what they are: see `failure` and `ended`."""
        view = memoryview(data)
        plain = bytearray()
        for start in range(0, len(view), _SLICE):
            self._in.write(view[start : start + _SLICE])
            if not self.secured:
                self._shake()
            if self.secured:
                self._read(plain)
            if self.failure is not None or self.ended:
                break
        return bytes(plain)

    def send(self, data: bytes) -> bytes:
        """Bytes of the conversation in, of the wire out; only once `secured`."""
        if len(data) <= _SLICE:
            self._ssl.write(data)
            return self._out.read()
        view = memoryview(data)
        sent = bytearray()
        for start in range(0, len(view), _SLICE):
            self._ssl.write(view[start : start + _SLICE])
            sent += self._out.read()
        return bytes(sent)

    def shut(self) -> bytes:
        """The goodbye (close_notify); nothing may be sent after it."""
        with contextlib.suppress(OSError, ValueError):  # it wants the server's first; or is not secured yet
            self._ssl.unwrap()
        return self.take()

    def _shake(self) -> None:
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as wrong:
            self.failure = _explain(wrong)
            return
        self.secured = True
        if not self._wildcards and (pattern := self._matched_wildcard()):
            text = f"its certificate is for {pattern}; wildcards are refused unless they are allowed"
            self.failure = TlsFailure(TlsFault.WRONG_NAME, text)

    def _read(self, plain: bytearray) -> None:
        try:
            while piece := self._ssl.read(_SLICE):
                plain += piece
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as wrong:
            self.failure = _explain(wrong)

    def _matched_wildcard(self) -> str | None:
        """The pattern by which the server's certificate fits; None if it names the host in full."""
        certificate: dict[str, Any] = self._ssl.getpeercert() or {}
        names = [value.lower() for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
        if not names:
            parts = certificate.get("subject", ())
            names = [value.lower() for part in parts for key, value in part if key == "commonName"]
        name = self._name.lower()
        if name in names:
            return None
        return next((pattern for pattern in names if pattern[:2] == "*." and name.endswith(pattern[1:])), None)


_contexts: Final[WeakValueDictionary[TlsProfile, ssl.SSLContext]] = WeakValueDictionary()


def context_for(profile: TlsProfile) -> ssl.SSLContext:
    """The context of a profile, shared by all connections that live at the same time. Raises OSError or ValueError."""
    if (context := _contexts.get(profile)) is None:
        context = _contexts[profile] = _make_context(profile)
    return context


def _make_context(profile: TlsProfile) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # chain and name are checked
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if profile.minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    if profile.ca_pem or profile.ca_file:
        context.load_verify_locations(cafile=profile.ca_file or None, cadata=profile.ca_pem or None)
    else:
        context.load_default_certs()
    if profile.certificate_file:
        context.load_cert_chain(profile.certificate_file, profile.key_file or None, password="")  # else it would ask
    return context


_CLOCK: Final = "; check the station's clock too"
_ROOT: Final = (TlsFault.UNKNOWN_CA, "its certificate was signed by a root that is not installed here")
_BY_VERIFY_CODE: Final[dict[int, tuple[TlsFault, str]]] = {  # X509_V_ERR_* of OpenSSL
    **dict.fromkeys((2, 18, 19, 20, 21, 27), _ROOT),
    9: (TlsFault.NOT_YET_VALID, f"its certificate is not valid yet{_CLOCK}"),
    10: (TlsFault.EXPIRED, f"its certificate has expired{_CLOCK}"),
    23: (TlsFault.REVOKED, "its certificate is revoked"),
    62: (TlsFault.WRONG_NAME, "its certificate is for another name"),
    64: (TlsFault.WRONG_NAME, "its certificate does not name this IP address"),
}
_VERSION: Final = (TlsFault.VERSION, "it offers no TLS version that is new enough")
_CIPHER: Final = (
    TlsFault.CIPHER,
    "it accepts none of our cipher suites, or wants a certificate of the station",
)
_OWN: Final = (TlsFault.OWN_CERTIFICATE, "it wants a certificate of the station, or refuses the one it was shown")
_BY_REASON: Final[dict[str, tuple[TlsFault, str]]] = {  # ssl.SSLError.reason; ..._ALERT_... is what the server said
    "WRONG_VERSION_NUMBER": (TlsFault.NOT_TLS, "what answered does not speak TLS; use ws:// if that is meant"),
    "HTTP_REQUEST": (TlsFault.NOT_TLS, "what answered speaks HTTP without TLS; use ws:// if that is meant"),
    "UNSUPPORTED_PROTOCOL": _VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": _VERSION,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _CIPHER,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": _CIPHER,
    "WRONG_CIPHER_RETURNED": _CIPHER,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _OWN,
    "TLSV1_ALERT_UNKNOWN_CA": _OWN,
    "TLSV1_ALERT_ACCESS_DENIED": _OWN,
    "TLSV1_ALERT_DECRYPT_ERROR": _OWN,
    "SSLV3_ALERT_BAD_CERTIFICATE": _OWN,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _OWN,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _OWN,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _OWN,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _OWN,
}


def _explain(wrong: ssl.SSLError) -> TlsFailure:
    if isinstance(wrong, ssl.SSLCertVerificationError):
        fallback = (TlsFault.BAD_CERTIFICATE, "its certificate does not hold")
        fault, text = _BY_VERIFY_CODE.get(wrong.verify_code, fallback)
        return TlsFailure(fault, f"{text} ({wrong.verify_message})")
    reason = wrong.reason or type(wrong).__name__
    fault, text = _BY_REASON.get(reason, (TlsFault.OTHER, "TLS failed"))
    return TlsFailure(fault, f"{text} ({reason})")

"""HTTP/1.1 messages as bytes: requests to send, and a strict reading of replies (RFC 9112)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.findings import excerpt

CRLF = b"\r\n"
HOST = b"Host: lab\r\n"

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d) [\t\x20-\x7e\x80-\xff]*")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")


class MalformedError(ValueError):
    """A reply breaks the grammar or the framing rules; the text says where."""


@dataclass(frozen=True)
class Response:
    """A reply. Header names are lower case; a repeated field keeps all its values."""

    status: int
    headers: dict[str, list[str]]
    body: bytes = b""
    informational: list[int] = field(default_factory=list)
    raw_head: bytes = b""

    def header(self, name: str) -> str | None:
        """The field's value, several joined by commas; None if the reply lacks it."""
        values = self.headers.get(name.lower())
        return None if values is None else ", ".join(values)

    @property
    def closes(self) -> bool:
        """Whether the reply announces that it is the last one on its connection."""
        return "close" in (self.header("connection") or "").lower()

    def __str__(self) -> str:
        return f"{self.status}, {len(self.body):,} bytes of body {excerpt(self.body, 40)}"


def request(
    method: str,
    target: str,
    body: bytes | None = None,
    *,
    version: str = "1.1",
    host: bool = True,
    **headers: str,
) -> bytes:
    """The bytes of a request; `content_type="x"` becomes `Content-Type: x`."""
    lines = [f"{method} {target} HTTP/{version}"]
    lines += ["Host: lab"] if host else []
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body is not None else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def get(target: str, **headers: str) -> bytes:
    """A GET without a body."""
    return request("GET", target, **headers)


def chunked(*chunks: bytes, trailer: bytes = b"") -> bytes:
    """A chunked body of exactly these chunks; `trailer` holds whole field lines."""
    coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return coded + b"0\r\n" + trailer + CRLF


def parse_head(head: bytes) -> Response:
    """Read a status line and header fields, up to and including the empty line."""
    *lines, end, rest = head.split(CRLF)
    if end or rest:
        raise MalformedError(f"the head does not end in an empty line: {excerpt(head[-20:])}")
    if b"\n" in b"".join(lines) or b"\r" in b"".join(lines):
        raise MalformedError("a line of the head ends in a bare CR or LF")
    status_line = _STATUS_LINE.fullmatch(lines[0])
    if status_line is None:
        raise MalformedError(f"not a status line: {excerpt(lines[0])}")
    headers: dict[str, list[str]] = {}
    for line in lines[1:]:
        parsed = _FIELD.fullmatch(line)
        if parsed is None:
            raise MalformedError(f"not a header field: {excerpt(line)}")
        headers.setdefault(parsed[1].decode().lower(), []).append(parsed[2].decode("latin-1"))
    return Response(int(status_line[1]), headers, raw_head=head)


def body_length(head: Response, method: str) -> int | None:
    """Bytes of body that follow; None: chunked; -1: all until the connection ends."""
    coding, lengths = head.header("transfer-encoding"), head.headers.get("content-length", [])
    bodiless = head.status < 200 or head.status in (204, 304) or method == "HEAD"
    if coding is not None and lengths:
        raise MalformedError("the reply has both Transfer-Encoding and Content-Length")
    if head.status < 200 and lengths:
        raise MalformedError(f"a {head.status} reply may not have a Content-Length")
    if len(lengths) > 1 or (lengths and not re.fullmatch(r"[0-9]+", lengths[0])):
        raise MalformedError(f"not one plain Content-Length: {lengths}")
    if bodiless:
        return 0
    if coding is not None:
        if coding.lower() != "chunked":
            raise MalformedError(f"unknown Transfer-Encoding: {coding}")
        return None
    return int(lengths[0]) if lengths else -1


def chunk_size(line: bytes) -> int:
    """The size in a chunk's first line (without its CRLF; extensions are ignored)."""
    digits = line.split(b";")[0].strip(b" \t")
    if not _HEX.fullmatch(digits):
        raise MalformedError(f"not a chunk size: {excerpt(line)}")
    return int(digits, 16)


def pattern(length: int, offset: int = 0) -> bytes:
    """What /bytes/N sends: the byte at offset i is i % 251."""
    start = offset % 251
    return (bytes(range(251)) * ((start + length) // 251 + 1))[start : start + length]

"""The reading of replies is strict, and says what is wrong."""

from __future__ import annotations

import pytest

from harness import message
from harness.message import MalformedError

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200\r\n\r\n", b"HTTP/2 200 OK\r\n\r\n", b"http/1.1 200 OK\r\n\r\n",
     b"HTTP/1.1 099 X\r\n\r\n", b" HTTP/1.1 200 OK\r\n\r\n", OK + b"A : 1\r\n\r\n",
     OK + b"A\r\n\r\n", OK + b" A: 1\r\n\r\n", OK + b"A: 1\nB: 2\r\n\r\n", OK + b"A: \x01\r\n\r\n",
     OK + b"\xff: 1\r\n\r\n", OK],
)  # fmt: skip
def test_malformed_heads(head: bytes) -> None:
    with pytest.raises(MalformedError):
        message.parse_head(head)


def test_fields() -> None:
    head = message.parse_head(OK + b"A:1\r\na: \t2 \r\nEmpty:\r\n\r\n")
    assert head.header("A") == "1, 2"
    assert head.header("empty") == ""
    assert head.header("none") is None


@pytest.mark.parametrize(
    "fields, method, length",
    [(b"Content-Length: 5\r\n", "GET", 5), (b"Content-Length: 5\r\n", "HEAD", 0), (b"", "GET", -1),
     (b"Transfer-Encoding: chunked\r\n", "GET", None)],
)  # fmt: skip
def test_body_length(fields: bytes, method: str, length: int | None) -> None:
    head = message.parse_head(OK + fields + b"\r\n")
    assert message.body_length(head, method) == length


@pytest.mark.parametrize(
    "fields",
    [b"Content-Length: 5\r\nContent-Length: 5\r\n", b"Content-Length: -1\r\n",
     b"Content-Length: +5\r\n", b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
     b"Transfer-Encoding: gzip\r\n"],
)  # fmt: skip
def test_framing_that_cannot_be_trusted(fields: bytes) -> None:
    with pytest.raises(MalformedError):
        message.body_length(message.parse_head(OK + fields + b"\r\n"), "GET")


def test_chunks() -> None:
    assert message.chunk_size(b"1F;x=y") == 31
    for wrong in (b"", b"-1", b"0x5", b"g", b"5 5"):
        with pytest.raises(MalformedError):
            message.chunk_size(wrong)
    assert message.chunked(b"ab", trailer=b"T: 1\r\n") == b"2\r\nab\r\n0\r\nT: 1\r\n\r\n"


def test_pattern() -> None:
    whole = message.pattern(2000)
    assert list(whole[:3]) == [0, 1, 2]
    assert whole[251] == 0
    assert message.pattern(700, 333) == whole[333:1033]

"""What lab 00 asks for beyond the common checks: calls that end early, in the middle of a reply."""

from __future__ import annotations

import pytest

from harness import stages
from harness.client import wait_readable
from harness.findings import difference, expect, story
from harness.instruments import frozen, quiet
from harness.message import get, pattern
from harness.server import Server

BODY = 8 * 1024 * 1024
STOPS = 6


@pytest.mark.only(*stages.BLOCKING)
@story(
    expected="all 8 MiB, byte for byte, though send() was cut short again and again",
    hint="A signal ends a send() that has moved some of its bytes: it returns how many. The "
    "others are still yours to send.",
    try_it="curl -s --limit-rate 1M URL/bytes/8388608 | sha256sum & sleep 1; "
    "kill -STOP PID; kill -CONT PID; wait",
)
def test_send_is_cut_short(server: Server) -> None:
    """a reply is whole although the server is stopped and continued while it sends"""
    client = server.connect(receive_buffer=4096)
    client.send(get(f"/bytes/{BODY}"))
    expect(wait_readable([client], 6), "not even the beginning of the reply came")
    for _ in range(STOPS):
        quiet(server)  # it waits in send(), some of whose bytes the kernel has taken
        with frozen(server):
            pass
    body = client.reply().body
    expect(body == pattern(BODY), difference(body, pattern(BODY)))

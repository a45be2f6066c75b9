"""A server gets ready by the contract."""

from __future__ import annotations

import socket

from harness import tcp
from harness.clock import happens
from harness.findings import expect, story
from harness.fixtures import Starter
from harness.server import Server


@story(
    expected="one line: listening on http://127.0.0.1:PORT stage=NAME pid=PID",
    hint="Scripts, the benchmark and this harness find the server by this line: it names the "
    "port that the kernel chose, and comes once connects succeed.",
)
def test_ready_line_tells_the_truth(server: Server) -> None:
    """the ready line names the stage, the process and the port"""
    expect(server.named_stage == server.stage.name, f"it says stage={server.named_stage}")
    expect(server.named_pid == server.pid, f"it says pid={server.named_pid}, not {server.pid}")
    expect(tcp.listener(server.port), f"no socket listens at port {server.port}")


@story(
    expected="standard output holds the ready line only; all else goes to standard error",
    hint="Whoever starts the server reads its standard output for that line and then no more: "
    "a chatty server blocks once the pipe is full.",
)
def test_standard_output_is_one_line(start: Starter) -> None:
    """nothing but the ready line is written to standard output"""
    server = start(access_log=True)
    server.get("/hello")
    server.get("/nowhere")
    lines = server.stdout().splitlines()
    expect(len(lines) == 1, f"{len(lines)} lines: {lines}")


@story(
    expected="exit status 1 and one line on standard error that says why",
    hint="bind() fails with EADDRINUSE: print the reason, not a stack trace, and exit with 1.",
    try_it="build/bin/NN-name --port PORT; echo $?     # while the first one runs",
)
def test_port_in_use(start: Starter) -> None:
    """a port that is in use ends the start with one line and exit status 1"""
    with socket.create_server(("127.0.0.1", 0), reuse_port=False) as taken:
        status, words = start.fails(port=taken.getsockname()[1])
    expect(status == 1, f"exit status {status}; it said {words}")
    expect(len(words) == 1, f"{len(words)} lines: {words}")
    expect("use" in words[0].lower(), f"the line does not say why: {words[0]}")


@story(
    expected="the port can be bound again at once",
    hint="Connections that the server closed first stay in TIME_WAIT for a minute. SO_REUSEADDR "
    "before bind() says that this does not matter.",
    try_it="curl -H 'Connection: close' URL/hello; then stop and start the server at once",
)
def test_restart_at_once(start: Starter) -> None:
    """after a restart the same port can be bound at once"""
    first = start()
    for _ in range(3):
        client = first.connect()
        client.get("/hello", connection="close")
        client.at_end()  # the server has closed first: its end stays in TIME_WAIT
    port = first.port
    first.finish()
    second = start(port=port)
    expect(second.get("/hello").status == 200, "the second server does not answer")


@story(
    expected="two servers of one stage run side by side",
    hint="Is there a fixed path or name (a unix socket, a file in /tmp, shared memory) that the "
    "second one takes away from the first?",
)
def test_two_at_once(start: Starter) -> None:
    """two servers run side by side, and neither disturbs the other"""
    first, second = start(), start()
    for server in (first, second, first):
        expect(server.get("/hello").status == 200, "one of them does not answer")
    second.finish()
    expect(first.get("/hello").status == 200, "the first one stopped when the second one did")


@story(
    expected="a client that connects and leaves at once disturbs nobody",
    hint="The first read returns 0 (or ECONNRESET) before any request came. That is an ordinary "
    "end, not an error of the server.",
    try_it="python3 -m harness.say PORT --half-close < /dev/null; curl URL/hello",
)
def test_visitor_without_a_word(server: Server) -> None:
    """clients that connect and leave without a word"""
    for _ in range(3):
        server.connect().close()
        server.connect().reset()
    expect(server.get("/hello").status == 200, "the next client is not served")
    expect(happens(server.alive), "the server died")

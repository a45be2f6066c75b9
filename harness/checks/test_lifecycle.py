"""How a server ends: nothing is lost, nothing is left, and it does not take for ever."""

from __future__ import annotations

import re
import signal
import socket

import pytest

from harness import stages, tcp
from harness.checks.test_concurrency import HALF_BODY, HALF_HEAD, MUCH, REST_OF_HEAD
from harness.clock import happens
from harness.findings import difference, expect, story
from harness.fixtures import Starter
from harness.instruments import accepted, consumed, frozen, quiet
from harness.message import get, pattern
from harness.server import Server

BODY = 16 * 1024 * 1024


def ends_well(server: Server) -> None:
    """Require exit status 0, and that nobody listens any more."""
    status = server.wait()
    expect(status == 0, server.end_text(), expected="exit status 0")
    expect(tcp.listener(server.port) is None, f"somebody still listens at {server.port}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
@story(
    expected="idle clients see the end of their connection; exit status 0",
    hint="A stop signal must wake the server, wherever it waits: in accept, in a queue, in "
    "epoll_wait. Who waits for idle clients waits for ever.",
    try_it="kill -TERM PID; wait",
)
def test_stop_while_idle(start: Starter, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end an idle server at once, with and without clients"""
    server = start(drain_timeout=60)
    server.signal(number)
    ends_well(server)
    server = start(drain_timeout=60)
    clients = [server.connect() for _ in range(5 if server.stage.concurrent else 1)]
    for client in clients:
        client.get("/hello")
    quiet(server)
    server.signal(number)
    for client in clients:
        client.at_end()
    ends_well(server)


@story(
    expected="the reply under way arrives whole, says Connection: close, and then exit status 0",
    hint="Stop accepting first; then let those who are inside finish.",
    try_it="curl -si 'URL/sleep?ms=3000' & sleep 1; kill -TERM PID; wait",
)
def test_stop_while_answering(start: Starter) -> None:
    """a request that is being answered gets its answer"""
    server = start()
    client = server.connect()
    client.send(get("/sleep?ms=250"))
    consumed(server, client)
    server.signal(signal.SIGTERM)
    reply = client.reply()
    expect(reply.status == 200, str(reply))
    expect(reply.closes, f"no Connection: close; {reply.headers}")
    client.at_end()
    ends_well(server)


@story(
    expected="all 16 MiB arrive, though the signal came while they were being sent",
    hint="exit() cuts the reply off. A drain waits until the last byte has been handed to the "
    "kernel, and close() lets the kernel deliver it.",
    try_it="curl -s --limit-rate 8M URL/bytes/16777216 | sha256sum & sleep 1; kill -TERM ...",
)
def test_stop_while_sending(start: Starter) -> None:
    """a long reply is sent to its end"""
    server = start(drain_timeout=30)
    client = server.connect()
    client.send(get(f"/bytes/{BODY}"))
    expect(client.readable(6), "not even the beginning of the reply came")
    quiet(server)
    server.signal(signal.SIGTERM)
    quiet(server)
    reply = client.reply()
    expect(reply.body == pattern(BODY), difference(reply.body, pattern(BODY)))
    client.at_end()
    ends_well(server)


@pytest.mark.parametrize(
    "half, rest", [(HALF_HEAD, REST_OF_HEAD), (HALF_BODY, b"56789")], ids=["head", "body"]
)
@story(
    expected="the request whose first half was there gets its reply, with Connection: close",
    hint="Bytes that have arrived are a request under way. Only connections without any are "
    "idle and may be closed at once.",
)
def test_stop_in_the_middle_of_a_request(start: Starter, half: bytes, rest: bytes) -> None:
    """a request that is half there may be completed"""
    server = start()
    client = server.connect()
    client.send(half)
    consumed(server, client)
    quiet(server)
    server.signal(signal.SIGTERM)
    quiet(server)
    client.send(rest)
    reply = client.reply()
    expect(reply.status == 200, str(reply))
    expect(reply.closes, f"no Connection: close; {reply.headers}")
    client.at_end()
    ends_well(server)


@pytest.mark.only(*set(stages.MODELS) - {stages.ITERATIVE})
@story(
    expected="connects are refused as soon as the drain begins",
    hint="Close the listening socket first, in every process that holds it: a load balancer sends "
    "the next client elsewhere only when the connect fails.",
)
def test_no_new_clients_while_draining(start: Starter) -> None:
    """during a drain nobody new comes in"""
    server = start()
    client = server.connect()
    client.send(HALF_HEAD)
    consumed(server, client)
    server.signal(signal.SIGTERM)
    expect(happens(lambda: tcp.listener(server.port) is None), "the listener stays open")
    client.send(REST_OF_HEAD)
    expect(client.reply().status == 200, "the client inside lost its reply")
    client.at_end()
    ends_well(server)


@pytest.mark.parametrize("stuck", ["reader", "head", "sleep"])
@story(
    expected="exit status 0 when --drain-timeout is over, whatever clients do",
    hint="A drain waits for clients, but not for ever. Who is still there then is cut off.",
    try_it="curl -s --limit-rate 1 URL/bytes/67108864 & kill -TERM PID; wait",
)
def test_drain_has_an_end(start: Starter, stuck: str) -> None:
    """--drain-timeout bounds the drain"""
    server = start(drain_timeout=0.4)
    client = server.connect(receive_buffer=4096)
    client.send({"reader": get(MUCH), "head": HALF_HEAD, "sleep": get("/sleep?ms=60000")}[stuck])
    consumed(server, client)
    quiet(server)
    server.signal(signal.SIGTERM)
    ends_well(server)


@story(
    expected="the second signal ends the server at once, though a client is still inside",
    hint="Who presses Ctrl-C twice means it.",
    try_it="curl -s --limit-rate 1 URL/bytes/67108864 & kill -TERM PID; kill -TERM PID",
)
def test_second_signal(start: Starter) -> None:
    """a second signal ends the drain at once"""
    server = start(drain_timeout=60)
    client = server.connect(receive_buffer=4096)
    client.send(get(MUCH))
    expect(client.readable(6), "not even the beginning of the reply came")
    quiet(server)
    server.signal(signal.SIGTERM)
    quiet(server)
    expect(server.alive(), "it did not wait for the reply under way")
    server.signal(signal.SIGTERM)
    server.wait(5)
    server.leaves_nothing()
    expect(client.ends(), "the connection outlives the server")


@story(
    expected="exit status 0, each of 20 times",
    hint="Between listen() and the installation of the handler a signal kills; between the "
    "test of the flag and the wait it is lost. Install first; let the signal wake the wait.",
    try_it="for i in 1 2 3; do build/bin/NN-name --port 0 & sleep .0$i; kill $!; wait $!; done",
)
def test_stop_right_after_listen(start: Starter) -> None:
    """a signal right after the start is neither lost nor deadly"""
    for _ in range(20):
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            port = chosen.getsockname()[1]
        server = start(port=port, wait_for="listener")
        server.signal(signal.SIGTERM)
        ends_well(server)
        server.leaves_nothing()


@story(
    expected="an idle server that is stopped and continued serves on",
    hint="SIGCONT interrupts waiting calls: EINTR is not an error, it means 'look again'.",
    try_it="kill -STOP PID; kill -CONT PID; curl -si URL/hello",
)
def test_interrupted_waits(server: Server) -> None:
    """STOP and CONT while it waits do not end a server"""
    client = server.connect()
    client.get("/hello")
    for _ in range(3):
        with frozen(server):
            pass
        quiet(server)
        expect(server.alive(), f"the server died: {server.end_text()}")
        expect(client.get("/hello").status == 200, "the client inside is not served")
    expect(server.get("/hello").status == 200, "a new client is not served")


@pytest.mark.only(stages.POOL)
@story(
    expected="clients in the queue are served before the end",
    hint="The queue holds accepted connections: their clients believe that they are being served.",
)
def test_drain_serves_the_queue(start: Starter) -> None:
    """a drain serves those who wait in the queue"""
    server = start(workers=1, queue=4)
    busy = server.connect()
    busy.send(HALF_HEAD)
    consumed(server, busy)
    queued = [server.connect() for _ in range(3)]
    for client in queued:
        client.send(get("/hello"))
    accepted(server, *queued)
    server.signal(signal.SIGTERM)
    quiet(server)
    busy.send(REST_OF_HEAD)
    for client in [busy, *queued]:
        expect(client.reply().status == 200, "a client lost its reply")
        client.at_end()
    ends_well(server)


@story(
    expected="one whole line for each request, none torn, none twice",
    hint="Lines that several threads or processes write in pieces get mixed; a buffer that is "
    "copied by fork() is written twice. One line, one write().",
    try_it="curl -s 'URL/hello?who=[1-8]'",
)
def test_access_log(start: Starter) -> None:
    """the access log has one whole line for each request"""
    server = start(access_log=True)
    clients = [server.connect() for _ in range(8 if server.stage.concurrent else 1)]
    with frozen(server):
        for number, client in enumerate(clients):
            requests = [get(f"/hello?who={number}-{turn}.") for turn in range(25)]
            client.send(b"".join(requests), quietly=True)
    for client in clients:
        for _ in range(25):
            expect(client.reply().status == 200, "not 200")
    server.close_clients()
    server.finish()
    lines = [line for line in server.stderr().splitlines() if "/hello?who=" in line]
    seen = [re.findall(r"\?who=(\d+-\d+)\.", line) for line in lines]
    wanted = {f"{number}-{turn}" for number in range(len(clients)) for turn in range(25)}
    torn = [line for line, names in zip(lines, seen, strict=True) if len(names) != 1]
    expect(not torn, f"{len(torn)} lines are torn: {torn[:3]}")
    named = [names[0] for names in seen]
    expect(sorted(named) == sorted(wanted), f"{len(named)} lines for {len(wanted)} requests")
    shapes = {re.sub(r"\S+", "x", re.sub(r'"[^"]*"', "q", line)) for line in lines}
    expect(len(shapes) == 1, f"lines of different shape: {lines[:4]}")
    expect(all("200" in line and "GET" in line for line in lines), f"{lines[0]}")

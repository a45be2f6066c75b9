"""What the run says below the plots of requests: each sentence with its numbers, see claims.py."""

from __future__ import annotations

from collections.abc import Callable

from harness.bench import noise
from harness.bench.report import beside
from harness.bench.report.claims import (
    Text, because_of_calls, because_of_switches, client_was_the_limit, not_because_of_calls,
)  # fmt: skip
from harness.bench.report.reading import (
    NARROW, Place, Reading, cost, count, duration, rate, times,
)  # fmt: skip


def written(plot: str, reading: Reading) -> Text:
    """What can be said below a plot; nothing for a plot without words."""
    text = Text(reading)
    writer = WRITERS.get(plot)
    if writer:
        writer(text)
    return text


def _at(series: str, x: int, *servers: str) -> tuple[Place, ...]:
    return tuple(Place(server, series, x) for server in servers)


def throughput(text: Text) -> None:
    """Requests/s over connections."""
    r = text.reading
    for x in (100, 1000):
        if (versus := r.versus("per_second", *_at("hello", x, "06", "02"))) and not versus.limited:
            break  # the first place where the figures are the servers' own
    text.claim("per_second", *_at("hello", x, "06", "02"), lambda v: (
        f"With {count(x)} connections {r.full_name('06')} answers {rate(v.a)} requests a second, "
        f"{r.full_name('02')} {rate(v.b)}.{because_of_switches(r, '02', '06')}"
    ))  # fmt: skip
    most = max(r.xs("hello"), default=0)
    if most > 1000:
        text.claim("per_second", *_at("hello", most, "06", "02"), lambda v: (
            f"With {count(most)} connections {r.full_name('06')} answers {rate(v.a)} and "
            f"{r.full_name('02')} {rate(v.b)}: {times(v.ratio)} as many."
        ))  # fmt: skip
    client_was_the_limit(text, "hello")


def file_throughput(text: Text) -> None:
    """Requests/s for a file."""
    r = text.reading
    text.claim("per_second", *_at("file", 100, "06", "nginx-1"), lambda v: (
        f"{r.full_name('06')} answers {times(v.ratio)} as many as nginx-1, which opens the file "
        "for each request if it is not told to keep it open."
    ))  # fmt: skip
    client_was_the_limit(text, "file")


def file_cpu(text: Text) -> None:
    """CPU time per request for a file."""
    r = text.reading
    text.claim("cpu_us", *_at("file", 100, "nginx-1", "06"), lambda v: (
        f"The file costs nginx-1 {cost(v.a)} of CPU time and {r.full_name('06')} {cost(v.b)}."
        f"{because_of_calls(r, 'file', 'nginx-1', '06')}"
    ))  # fmt: skip
    text.claim("cpu_us", Place("06", "file", 100), Place("06", "hello", 100), lambda v: (
        f"{r.full_name('06')} pays {cost(v.a - v.b)} more for it than for the 13 bytes of /hello: "
        "the rest of the price is that of any request."
    ))  # fmt: skip


def cpu(text: Text) -> None:
    """CPU time per request against the peers."""
    r = text.reading
    bare = _at("hello", 100, "06", "roofline")
    floor = r.versus("cpu_us", *bare)
    if floor and not floor.stands:
        text.say(
            f"Parsing and answering costs {r.full_name('06')} less than the noise: it pays "
            f"{cost(floor.a)} a request, and a server that never parses {cost(floor.b)}. So nearly "
            "all of it is what TCP costs any server, and no design makes that cheaper."
        )
    else:
        text.claim("cpu_us", *bare, lambda v: (
            f"A server that never parses costs {cost(v.b)} a request, {r.full_name('06')} "
            f"{cost(v.a)}: {100 / v.ratio:.0f}{NARROW}% of its time is what TCP costs any server, "
            "and no design makes that cheaper."
        ))  # fmt: skip
    text.claim("cpu_us", *_at("hello", 100, "02", "06"), lambda v: (
        f"A blocking thread for each client costs {cost(v.a - v.b)} more a request ({cost(v.a)} "
        f"against {cost(v.b)}).{because_of_switches(r, '02', '06')}"
    ))  # fmt: skip
    text.claim("cpu_us", *_at("hello", 100, "nginx-1", "06"), lambda v: (
        f"nginx-1 takes {times(v.ratio)} the CPU time of {r.full_name('06')} ({cost(v.a)}): it can "
        "do far more, and asks at each request what of it is wanted."
        f"{not_because_of_calls(r, 'nginx-1', '06')}"
    ))  # fmt: skip
    for stage, peer, model in (("02", "apache-worker", "a thread"),
                               ("01", "apache-prefork", "a process")):  # fmt: skip
        text.claim("cpu_us", *_at("hello", 100, peer, stage), lambda v, s=stage, p=peer, m=model: (
            f"{p} keeps {m} for each connection, as {r.full_name(s)} does, and takes "
            f"{times(v.ratio)} its CPU time ({cost(v.a)}).{because_of_calls(r, 'hello', p, s)}"
        ))  # fmt: skip
    text.claim("cpu_us", *_at("hello", 100, "07", "06"), lambda v: (
        f"Edges cost more than levels here ({cost(v.a)} against {cost(v.b)}): a small request is "
        "read by one call anyway, and the books are extra work."
    ))  # fmt: skip
    for stage, call in (("04", "select"), ("05", "poll")):
        text.claim("cpu_us", *_at("hello", 100, stage, "06"), lambda v, c=call: (
            f"With 100 clients who all talk, {c} costs {times(v.ratio)} as much as epoll: it "
            "searches all, but it finds many."
        ))  # fmt: skip
    text.claim("cpu_us", *_at("hello", 100, "08", "06"), lambda v: (
        f"{r.full_name('08')} pays {cost(v.a)}: with two workers on one cpu each finds fewer "
        "events when it wakes up."
    ))  # fmt: skip


def cpu_when_crowded(text: Text) -> None:
    """CPU time per request over connections."""
    r = text.reading
    most = max(r.xs("hello"), default=0)
    reasons = {
        "06": "the calls are the same, but the state of so many sockets fits into no cache",
        "02": "with each switch another stack has to come into the caches, too",
    }
    for server, why in reasons.items():
        text.claim(
            "cpu_us", Place(server, "hello", most), Place(server, "hello", 100),
            lambda v, s=server, w=why: (
                f"With {count(most)} connections {r.full_name(s)} pays {times(v.ratio)} what a "
                f"request costs it with 100 ({cost(v.a)} against {cost(v.b)}): {w}."
            ),
        )  # fmt: skip
    text.claim("cpu_us", Place("06", "hello", 1), Place("06", "hello", 100), lambda v: (
        f"One client alone is dear ({cost(v.a)} a request for {r.full_name('06')}): the server "
        "goes to sleep and is woken for each request, where a hundred clients find it awake."
    ))  # fmt: skip


def p50(text: Text) -> None:
    """Median latency over connections."""
    r = text.reading
    x = max(r.xs("hello"), default=0)
    cell = r.cell(Place("06", "hello", x))
    if cell and not noise.client_was_the_limit(cell):
        summary = cell.summary()
        predicted = x / summary["per_second_median"] * 1e6
        if abs(summary["p50_us"] / predicted - 1) < noise.of(cell, "p50_us"):
            text.say(
                "The loop is closed: who has an answer asks again at once. So a client waits about "
                "as long as connections divided by requests/s (Little's law): for "
                f"{r.full_name('06')} {count(x)} / {rate(summary['per_second_median'])} = "
                f"{duration(predicted)}; half of the requests took {duration(summary['p50_us'])} "
                "and more. With many connections this plot is that of throughput, upside down."
            )
    places = [Place(server, "hello", 1) for server in r.of_kind("stage")]
    values = {place: v for place in places if (v := r.value(place, "p50_us"))}
    if len(values) > 1:
        slowest, fastest = (each(values, key=values.__getitem__) for each in (max, min))
        versus = r.versus("p50_us", slowest, fastest)
        if versus and not versus.stands:
            text.say(
                "With one connection all stages take the same time within the noise "
                f"({duration(versus.b)} to {duration(versus.a)}): two wake-ups, one at each end, "
                "whatever the model."
            )


def p99(text: Text) -> None:
    """The slowest hundredth over connections."""
    r = text.reading
    for x in (x for x in (1000, 10_000) if x in r.xs("hello")):
        text.claim("p99_us", *_at("hello", x, "02", "06"), lambda v, x=x: (
            f"With {count(x)} connections one request in a hundred takes {duration(v.a)} and more "
            f"with {r.full_name('02')}, {duration(v.b)} with {r.full_name('06')}: which of "
            f"{count(x)} threads runs next is the scheduler's choice, and not the order in which "
            "their requests came."
        ))  # fmt: skip


def close(text: Text) -> None:
    """A new connection for each request."""
    r = text.reading
    x = max(r.xs("close"), default=0)
    text.claim("cpu_us", *_at("close", x, "01", "06"), lambda v: (
        f"To fork for a connection costs {r.full_name('01')} {cost(v.a - v.b)} on top of what "
        f"{r.full_name('06')} pays for all of it ({cost(v.b)}): page tables are copied at once, "
        "and pages when they are written to."
    ))  # fmt: skip
    text.claim("cpu_us", *_at("close", x, "02", "06"), lambda v: (
        f"To start a thread costs {r.full_name('02')} {cost(v.a - v.b)}."
    ))  # fmt: skip
    text.claim("cpu_us", *_at("close", x, "03", "02"), lambda v: (
        f"{r.full_name('03')} starts nobody and pays {v.ratio:.2f} of what {r.full_name('02')} "
        f"does ({cost(v.a)} against {cost(v.b)}): this is what a pool is for."
    ), more=False)  # fmt: skip
    text.claim("cpu_us", *_at("close", x, "08", "06"), lambda v: (
        f"To pass the descriptor to a worker costs {r.full_name('08')} {cost(v.a - v.b)}: a "
        "sendmsg, a recvmsg and a second close."
    ))  # fmt: skip


def pipelined(text: Text) -> None:
    """Sixteen requests in a row."""
    r = text.reading
    x = max(r.xs("pipelined"), default=0)
    text.claim("cpu_us", *_at("pipelined", x, "nginx-1", "06"), lambda v: (
        f"{r.full_name('06')} answers sixteen requests that came together by one write and pays "
        f"{cost(v.b)} for each; nginx-1 writes each answer by itself and pays {cost(v.a)}, "
        f"{times(v.ratio)} as much.{because_of_calls(r, 'pipelined', 'nginx-1', '06')}"
    ))  # fmt: skip
    text.claim("cpu_us", Place("06", "hello", x), Place("06", "pipelined", x), lambda v: (
        f"One by one a request costs {cost(v.a)}, {times(v.ratio)} as much: so much of its price "
        "is system calls and the way through TCP, and so little the parser."
    ))  # fmt: skip


WRITERS: dict[str, Callable[[Text], None]] = {
    "hello": throughput,
    "p50": p50,
    "p99": p99,
    "cpu": cpu,
    "cpu-crowded": cpu_when_crowded,
    "file": file_throughput,
    "file-cpu": file_cpu,
    "pipelined": pipelined,
    "close": close,
    **beside.WRITERS,
}

"""What the clients do while a server is watched. Times in milliseconds from the start."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.message import pattern, request
from harness.stages import EPOLL, FORK, HANDOVER, MODELS, POOL, Stage
from harness.trace.verdict import PREFORK

QUEUE, SLOW, PIECES, KILL, HERD = "queue", "slow", "pieces", "kill", "herd"

_CLOSE = {"connection": "close"}
_KIB = 1024
_CREW = {POOL: 4, HANDOVER: 2, PREFORK: 4}


@dataclass(frozen=True)
class Script:
    """One client: when it connects, and what it sends when.

    With `stepwise` the pieces arrive apart from each other, however busy the machine is: all of
    the first one is there before the server reads any of it, and no other one is sent before the
    server sleeps.
    """

    name: str
    at: float
    sends: tuple[tuple[float, bytes], ...]
    patience: float = 3000.0  # after its last piece, it waits so long for a reply
    stepwise: bool = False


@dataclass(frozen=True)
class Scenario:
    """What is to be seen, for which models, with how many workers where there are some."""

    name: str
    title: str
    scripts: tuple[Script, ...]
    models: tuple[str, ...] = MODELS
    else_why: str = ""  # why other models have nothing to show
    workers: dict[str, int] = field(default_factory=_CREW.copy)
    variants: tuple[str, ...] = ()  # seeded mistakes to show as well
    own_servers: tuple[str, ...] = ()  # ways of the sample server that it shows instead of stages
    kills: str = ""  # the client whose process is killed
    kills_at: float = 0.0
    calm: bool = False  # a client only comes when the server sleeps
    detail: bool = False  # what single calls return is the point: the marks are to be drawn

    @property
    def is_usual(self) -> bool:
        """Whether it is the one that is meant where none is named."""
        return self.name == QUEUE

    def options(self, stage: Stage) -> list[str]:
        workers = self.workers.get(stage.model)
        return ["--workers", str(workers)] if workers else []

    def refuses(self, stage: Stage) -> str:
        """Why there is nothing to show with this stage, in a sentence; "" if there is."""
        return "" if stage.model in self.models else f"{stage.name}: {self.else_why}"


def _get(target: str) -> bytes:
    return request("GET", target, **_CLOSE)


def _work(milliseconds: int) -> bytes:
    return _get(f"/work?us={milliseconds * 1000}")


def _halves(data: bytes) -> tuple[bytes, bytes]:
    return data[: len(data) // 2], data[len(data) // 2 :]


def _queue() -> Scenario:
    """A sends half a request and the rest 120 ms later; each request costs 10 ms of CPU."""
    work = _work(10)
    first, second = _halves(work)
    return Scenario(
        QUEUE,
        "Six clients; A is slow to ask, D a little",
        (
            Script("A", 0, ((0, first), (120, second))),
            Script("B", 20, ((20, work),)),
            Script("C", 40, ((40, work),)),
            Script("D", 60, ((60, first), (90, second))),
            Script("E", 100, ((100, work),)),
            Script("F", 140, ((140, work),)),
        ),
    )


def _slow() -> Scenario:
    """A's request costs 100 ms of CPU, the others' 3 ms: who has to wait until it is done?"""
    others = zip("BCDEF", (10, 25, 40, 60, 80), strict=True)
    return Scenario(
        SLOW,
        "Six clients; A's request takes 100 ms of CPU, the others' 3",
        (
            Script("A", 0, ((0, _work(100)),)),
            *(Script(name, at, ((at, _work(3)),)) for name, at in others),
        ),
    )


def _pieces() -> Scenario:
    """Z keeps the loop busy while A's head and the first of its body, 56 KiB together, come in.

    A server reads into 16 KiB. With two more pieces, whoever reads once an edge reads three times
    16 KiB, and there is no fourth edge for the last 12.
    """
    size = 60 * _KIB
    head = len(request("POST", "/echo", bytes(size), **_CLOSE)) - size
    whole = request("POST", "/echo", pattern(size - head), **_CLOSE)  # 60 KiB with its head
    first, rest = whole[: 56 * _KIB], whole[56 * _KIB :]
    return Scenario(
        PIECES,
        "A's 56 KiB come at once, 4 KiB more in two pieces; the server reads into 16 KiB",
        (
            Script("Z", 0, ((0, _work(20)),)),
            Script(
                "A",
                5,
                ((5, first), (45, rest[: 2 * _KIB]), (60, rest[2 * _KIB :])),
                patience=120,
                stepwise=True,
            ),
            Script("B", 52, ((52, _get("/hello")),)),
            Script("C", 90, ((90, _get("/hello")),)),
        ),
        models=(EPOLL,),
        else_why="it has neither edges nor levels; this is about epoll",
        variants=("reads-once-an-edge",),
        detail=True,
    )


def _kill() -> Scenario:
    """At 70 ms the process that serves A is killed. Where processes serve many, C is in the same:
    the first worker gets A and C, the other one B and D.

    The master of 08 replaces a young worker after 100 ms: E comes before that, F after it.
    """
    work = _work(10)
    first, second = _halves(work)
    return Scenario(
        KILL,
        "Six clients; the process that serves A is killed while A is asking",
        (
            Script("A", 0, ((0, first), (120, second))),
            Script("B", 15, ((15, first), (110, second))),
            Script("C", 30, ((30, first), (140, second))),
            Script("D", 45, ((45, work),)),
            Script("E", 90, ((90, work),)),
            Script("F", 210, ((210, work),)),
        ),
        models=(FORK, HANDOVER),
        else_why="the process that serves A is the whole server; to kill it is to kill everybody",
        kills="A",
        kills_at=70,
    )


def _herd() -> Scenario:
    """Nobody is busy: whom does a new connection wake?"""
    hello = _get("/work?us=2000")
    return Scenario(
        HERD,
        "Four workers share the port, four clients come one after the other",
        tuple(Script(name, at, ((at, hello),)) for name, at in zip("ABCD", (0, 15, 30, 45))),
        models=(PREFORK,),
        own_servers=("herd", "exclusive", "accept", "reuseport"),
        calm=True,
        detail=True,
    )


SCENARIOS = {each.name: each for each in (_queue(), _slow(), _pieces(), _kill(), _herd())}

"""Which model is it? Said for each connection, from the system calls alone.

Not the word "epoll" in a log makes a server an epoll server. What counts is what became of each
connection: who accepted it, who read from it, was that reader there before, who was told that it
is ready, by which call and together with whom, was its descriptor passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness import stages
from harness.stages import Stage
from harness.trace.calls import Call
from harness.trace.facts import Connection, Facts
from harness.trace.waits import EDGE, EPOLL, LEVEL, Told
from harness.trace.who import Cast, Task

# Models that no stage of the ladder has.
PREFORK, PRETHREAD, LOOPS, DISPATCH = "prefork", "prethread", "loops", "dispatch"
OTHER, UNSEEN, HIDDEN = "other", "unseen", "hidden"

_SAYS = {
    stages.ITERATIVE: "one client at a time",
    stages.FORK: "a process per connection",
    stages.THREAD: "a thread per connection",
    stages.POOL: "a thread pool",
    stages.SELECT: "one loop over select",
    stages.POLL: "one loop over poll",
    stages.EPOLL: "one loop over epoll",
    stages.HANDOVER: "a master that passes descriptors to workers",
    PREFORK: "processes that accept for themselves",
    PRETHREAD: "threads that accept for themselves",
    LOOPS: "threads with a loop each",
    DISPATCH: "a loop that lets other threads read",
    OTHER: "none of the models known here",
    UNSEEN: "not served",
    HIDDEN: "hidden by io_uring, cannot be judged",
}


@dataclass(frozen=True)
class Verdict:
    """What the calls say of one connection. Tasks are thread ids, 0: nobody."""

    client: int  # its port
    model: str
    acceptor: int = 0
    reader: int = 0
    reader_is: str = ""  # "thread" or "process", as seen from the acceptor; "": the same task
    born_after: bool = False  # the reader, after the accept
    watched: str = ""  # the call it was waited for with, together with others
    trigger: str = ""  # of epoll: LEVEL or EDGE, or both, in the order of time
    passed: bool = False  # to the reader's process, by SCM_RIGHTS
    told: int = 0  # who waited for it in `watched`
    readers: int = 1  # how many tasks read from it
    served: int = 1  # how many connections the reader has read from, this one included
    rivals: int = 1  # how many processes, or else threads, wait for new clients
    met: bool = False  # the acceptor held others at the same time

    def fits(self, stage: Stage) -> bool:
        """Whether this is how the stage handles a connection."""
        trigger = EDGE if stage.edge_triggered else LEVEL
        return self.model == stage.model and {
            stages.POOL: not self.born_after,
            stages.EPOLL: self.trigger == trigger,
            stages.HANDOVER: not self.born_after and self._waits == f"{EPOLL}, {trigger}",
        }.get(stage.model, True)

    def __str__(self) -> str:
        told = _SAYS[self.model]
        if self.model == stages.POOL and self.born_after:
            told += " that grows when it has to"
        if self.model == stages.EPOLL:
            return f"{told}, {self.trigger}"
        if self.model == stages.HANDOVER:
            return f"{told} ({self._waits or 'blocking'})"
        return told

    @property
    def _waits(self) -> str:
        """How the reader waits: "epoll, level-triggered", "poll"."""
        return ", ".join(filter(None, (self.watched, self.trigger)))

    def evidence(self) -> str:
        """Who accepted, who read, how it was waited for, in a sentence."""
        if not self.acceptor:
            return "no accept(2) returned it"
        alike = "process" if self.model == PREFORK else "thread"
        parts = [f"accepted by {self.reader_is or alike} {self.acceptor}"]
        if self.rivals > 1:
            parts[0] += f", one of {self.rivals} who wait for clients"
        if self.met:
            parts.append("while others that it had accepted were still open")
        if self.passed:
            parts.append("passed on by SCM_RIGHTS")
        parts.append(self._reading())
        if self.watched:
            by = "" if self.told == self.reader else f" by thread {self.told}"
            parts.append(f"waited for together with others{by} in {self._waits}")
        return ", ".join(parts)

    def _reading(self) -> str:
        if not self.reader:
            return "no call read from it"
        if self.reader == self.acceptor:
            told = "read by the same"
        else:
            age = "was born after the accept" if self.born_after else "was there before"
            told = f"read by {self.reader_is} {self.reader}, which {age}"
            if self.served > 1 and self.born_after:
                told += f" and has served {self.served} connections"
        return told + (f", and by {self.readers - 1} more" if self.readers > 1 else "")


def verdicts(cast: Cast, ports: Iterable[int]) -> list[Verdict]:
    """One for each client, in the given order."""
    facts = Facts(cast)
    return [_judge(facts, port) for port in ports]


def summary(found: list[Verdict]) -> str:
    """In a line: what most connections say, and how many of them."""
    if not found:
        return "no connection to judge"
    (most, count), *_ = Counter(map(str, found)).most_common()
    return f"{most} ({count} of {len(found)} connections)"


def _judge(facts: Facts, port: int) -> Verdict:
    """The verdict on one connection. Who read it in several ways did it in none of ours."""
    it = facts.connections.get(port, Connection(port))
    if it.accept is None or not it.readers:
        acceptor = it.accept.task if it.accept else 0
        return Verdict(port, HIDDEN if facts.hidden else UNSEEN, acceptor)
    readers = [facts.cast.tasks[task] for task, _ in it.readers.most_common()]
    found = [_judge_reader(facts, it, it.accept, reader) for reader in readers]
    ways = {each.model for each in found}
    return found[0] if len(ways) == 1 else replace(found[0], model=OTHER)


def _judge_reader(facts: Facts, it: Connection, accept: Call, reader: Task) -> Verdict:
    """The verdict as if this were the only one who reads from the connection."""
    acceptor = facts.cast.tasks[accept.task]
    same_process = acceptor.process == reader.process
    told = facts.told(it, reader)
    passed = reader.process in it.received and not same_process
    after = reader.born > accept.end - 1e-6  # strace cuts off what is below a microsecond
    if reader is acceptor:
        model = _of_one(facts, it, acceptor, told)
    elif same_process:
        model = _of_threads(facts, reader, told, after)
    else:
        model = _of_processes(facts, reader, passed, after)
    return Verdict(
        it.port, model, acceptor.number, reader.number,
        reader_is="" if reader is acceptor else "thread" if same_process else "process",
        born_after=after,
        watched=told[0].kind if told else "",
        trigger=", then ".join(dict.fromkeys(each.trigger for each in told if each.trigger)),
        passed=passed,
        told=told[0].task if told else 0,
        readers=len(it.readers),
        served=facts.served[reader.number],
        rivals=facts.rivals(acceptor),
        met=it.met and reader is acceptor and not told,
    )  # fmt: skip


def _of_one(facts: Facts, it: Connection, acceptor: Task, told: list[Told]) -> str:
    """The model of a connection that is read by whoever accepted it."""
    if facts.is_prefork(acceptor):
        return PREFORK
    if facts.rivals(acceptor) > 1:
        return PRETHREAD
    if told:
        return told[0].kind
    if facts.hidden:
        return HIDDEN
    return OTHER if it.met else stages.ITERATIVE


def _of_threads(facts: Facts, reader: Task, told: list[Told], after: bool) -> str:
    """The model of a connection that one thread accepted and another one reads."""
    if told and told[0].task != reader.number:
        return DISPATCH
    # A pool that grows when it has to: its threads are born for a client, but outlive it. And who
    # reads from one connection only is no loop, whatever it asks.
    if after and not facts.has_grown(reader.process):
        return stages.THREAD
    return LOOPS if told else stages.POOL


def _of_processes(facts: Facts, reader: Task, passed: bool, after: bool) -> str:
    """The model of a connection that one process accepted and another one reads."""
    if passed:
        return stages.HANDOVER
    return stages.FORK if after and facts.served[reader.number] == 1 else OTHER

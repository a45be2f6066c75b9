"""Says in a sentence what is to be seen just now, and why, with the numbers of just now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from harness import stages
from harness.race.looks import look
from harness.race.shares import Load

INVITATION = "Choose up to four servers and press space. Then move a slider and see who suffers."
STOPPED = "Stopped. The picture stays until the next start."
BELIEVED = 3  # so many samples, the newest ones, make a number
MODELS = {stage.name: stage.model for stage in stages.LADDER}
SCANNING = (stages.SELECT, stages.POLL)
LOOPING = (*SCANNING, stages.EPOLL)
FAILURES = {
    "connect": "{:,} connections failed",
    "read": "{:,} connections were cut off",
    "write": "{:,} requests could not be sent",
    "timeout": "{:,} requests had no reply for 2 s",
    "status": "{:,} replies were no 200",
    "length": "{:,} replies had a wrong length",
}
OWN_TASK = (stages.FORK, stages.THREAD)  # each connection has a process or thread of its own
TIED = (*OWN_TASK, stages.POOL)  # a process or thread is tied to one connection at a time

Sample = Mapping[str, Any]


@dataclass(frozen=True)
class Now:
    """A server, and the medians of its newest samples."""

    name: str
    label: str
    model: str
    figures: Mapping[str, float]

    def __getitem__(self, key: str) -> float:
        return self.figures.get(key, 0.0)

    @property
    def memory(self) -> str:
        return f"{self['memory_kib'] / 1024:.3g} MiB"


def change(key: str, value: int) -> str:
    """The words beside a mark in the plots."""
    if key == "turns":
        return "in turns" if value else "all at once"
    if key == "slow":
        return f"1 in {value:,}: 20 ms" if value else "none slow"
    return f"{f'{value:,}' if value else 'none'} {'idle' if key == 'idle' else 'busy'}"


def seen(
    load: Load,
    samples: Mapping[str, Sequence[Sample]],
    limits: Mapping[str, str],
    failed: Mapping[str, str],
) -> tuple[str, bool]:
    """The sentence, and whether it is about something that went wrong."""
    if failed:
        said = [f"{look(name)['label']} failed: {why}" for name, why in failed.items()]
        return "; ".join(said), True
    now = [_now(name, taken) for name, taken in samples.items() if len(taken) >= BELIEVED]
    if wrong := _errors(samples):
        return wrong, True
    said = _slow(load, now) or _scanning(now) or _tasks(now) or _hit(limits) or _switches(now)
    return said, False


def _now(name: str, taken: Sequence[Sample]) -> Now:
    newest = list(taken)[-BELIEVED:]
    keys = {key for sample in newest for key, value in sample.items() if _is_number(value)}
    figures = {key: median(s[key] for s in newest if _is_number(s.get(key))) for key in keys}
    return Now(name, look(name)["label"], MODELS.get(name, ""), figures)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _errors(samples: Mapping[str, Sequence[Sample]]) -> str:
    said = []
    for name, taken in samples.items():
        counts: Counter[str] = Counter()
        for sample in list(taken)[-BELIEVED:]:
            counts.update(sample.get("errors", {}))
        what = [FAILURES[kind].format(count) for kind, count in counts.items()]
        said += [f"{look(name)['label']}: {', '.join(what)}"] if what else []
    return f"{'; '.join(said)}." if said else ""


def _slow(load: Load, now: list[Now]) -> str:
    loops = [each for each in now if each.model in LOOPING]
    if not load.slow or not loops:
        return ""
    said = "One slow request stops all others in an event loop"
    for key, some in (("p50_us", "half of them take"), ("p99_us", "1 in 100 of them takes")):
        loop = max(loops, key=lambda each: each[key])
        tied = [each for each in now if each.model in TIED and each[key] * 2 < loop[key]]
        if tied and loop[key] > 5000:
            best = min(tied, key=lambda each: each[key])
            return (
                f"{said}: {some} more than {_ms(loop[key])} in {loop.label}, "
                f"and {_ms(best[key])} in {best.label}."
            )
    loop = max(loops, key=lambda each: each["p99_us"])
    held_up = f"1 in 100 of the quick ones takes more than {_ms(loop['p99_us'])} in {loop.label}."
    return f"{said}: {held_up}" if loop["p99_us"] > 10_000 else ""


def _scanning(now: list[Now]) -> str:
    scans = [each for each in now if each.model in SCANNING and each["per_second"]]
    others = [each for each in now if each.model not in SCANNING]
    if not scans or not others:
        return ""
    scan = min(scans, key=lambda each: each["per_second"])
    best = max(others, key=lambda each: each["per_second"])
    times = best["per_second"] / scan["per_second"]
    if times < 2 or scan["held"] < 100:
        return ""
    return (
        f"{scan.model} looks through all {scan['held']:,.0f} connections each time, to find the "
        f"few that have something: {best.label} answers {times:,.0f} times as many requests."
    )


def _hit(limits: Mapping[str, str]) -> str:
    said = [f"{look(name)['label']}: {limit}" for name, limit in limits.items() if limit]
    return f"{'; '.join(said)}." if said else ""


def _tasks(now: list[Now]) -> str:
    own = [each for each in now if each.model in OWN_TASK and each["threads"] >= 100]
    if not own:
        return ""
    most = max(own, key=lambda each: each["memory_kib"])
    kind = "process" if most.model == stages.FORK else "thread"
    said = f"{most.label} keeps a {kind} for each connection, idle or not: "
    said += f"{most['threads']:,.0f} of them, {most.memory}"
    loops = [each for each in now if each.model in LOOPING]
    if not loops:
        return f"{said}."
    least = min(loops, key=lambda each: each["memory_kib"])
    return f"{said}. {least.label} needs one thread and {least.memory}."


def _switches(now: list[Now]) -> str:
    """What can be seen while nothing is extreme: a context switch a request, or hardly any."""
    busy = [each for each in now if each["per_second"] > 100 and each["switches"]]
    tied = [each for each in busy if each.model in TIED]
    loops = [each for each in busy if each.model in LOOPING]
    if not tied or not loops:
        return ""
    often, seldom = max(tied, key=_per_request), min(loops, key=_per_request)
    if _per_request(often) < 2 * _per_request(seldom):
        return ""
    return (
        f"{often.label}: {_per_request(often):.2g} context switches for each request. "
        f"{seldom.label}: {_per_request(seldom):.2g}, as it finds several requests at each look."
    )


def _per_request(each: Now) -> float:
    return each["switches"] / each["per_second"]


def _ms(microseconds: float) -> str:
    ms = microseconds / 1000
    return f"{ms:.2g} ms" if ms < 99.5 else f"{ms:,.0f} ms"

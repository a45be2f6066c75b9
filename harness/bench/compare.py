"""Two runs of the benchmark: what has changed, and what of that is more than noise."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping

from harness.bench import noise
from harness.bench.report import changes
from harness.bench.report.changes import Change
from harness.bench.report.reading import count
from harness.bench.results import Cell, Results
from harness.bench.servers import Kind
from harness.bench.tables import Table

Paces = Mapping[str, Mapping[str, float]]  # by load and figure

HELD = {  # the figures of held connections, and as what they are noisy
    "kib_per_connection": "pss_kib_per_connection",
    "kernel_kib_per_connection": "kernel_kib_per_connection",
    "p50_before_us": "p50_us",
    "p50_during_us": "p50_us",
    "per_second_before": "per_second",
    "per_second_during": "per_second",
}
FEW = 30  # figures: so many are all shown, of more only those that changed
IDLE_MACHINE = 0.5  # the load average that a machine has by itself
SAME_MACHINE = ("cpu", "cpus", "kernel")
WITNESSES = 2  # so many who are the same programs as then tell the machine's pace
OTHER_PACE = 0.03  # less than that is not worth a word


def table(old: Results, new: Results) -> Table:
    """What changed, the clearest change first; the notes say how much was found again."""
    paces = _paces(old, new)
    found = [*_of_cells(old, new, paces), *_of_held(old, new)]
    beyond = [each for each in found if each.stands]
    shown = changes.clearest_first(found if len(found) <= FEW else beyond)
    title = f"What changed since {old.machine['date']} ({old.machine['revision']})"
    made = Table(title, ("server, load", *changes.COLUMNS), [each.row() for each in shown])
    made.notes += [*_differences(old, new), *_told(paces), *_not_compared(old, new)]
    again, better, worse = changes.counted(found)
    made.notes.append(
        f"{again} of {count(len(found))} figures were found again within their noise"
        + (f"; {better} are better, {worse} are worse" if beyond else "")
    )
    return made


def _paces(old: Results, new: Results) -> Paces:
    """What has become of the times of those who are the same programs as then. A slow minute of the
    machine, while it measured a load, was a slow minute for them as well."""
    ratios: dict[str, dict[str, list[float]]] = {}
    tools = [each.machine.get("tools", {}) for each in (old, new)]
    for then, now in _both(old, new):
        versions = [each.get(now.server.partition("-")[0]) for each in tools]
        if now.kind not in (Kind.PEER.value, Kind.ROOFLINE.value) or versions[0] != versions[1]:
            continue
        for change in changes.between(then, now, ""):
            if noise.FIGURES[change.figure].estimate and change.then:
                of_load = ratios.setdefault(now.load, {})
                of_load.setdefault(change.figure, []).append(change.now / change.then)
    return {
        load: {figure: statistics.median(each) for figure, each in of_load.items()
               if len(each) >= WITNESSES}
        for load, of_load in ratios.items()
    }  # fmt: skip


def _told(paces: Paces) -> Iterator[str]:
    """The loads that met the machine at another pace."""
    other = {
        load: pace["cpu_us"]
        for load, pace in paces.items()
        if "cpu_us" in pace and abs(pace["cpu_us"] - 1) > OTHER_PACE
    }
    if other:
        told = ", ".join(f"{load} {pace:.2f}" for load, pace in other.items())
        yield (
            "the machine had another pace: by those who are the same programs as then, a request "
            f"took so many times as much CPU: {told}; that is taken out of all changes there"
        )


def _of_cells(old: Results, new: Results, paces: Paces) -> Iterator[Change]:
    for then, now in _both(old, new):
        if (then.connections, then.idle) == (now.connections, now.idle):
            pace = paces.get(now.load, changes.SAME_PACE)
            yield from changes.between(then, now, f"{now.server}, {now.load}", pace)


def _of_held(old: Results, new: Results) -> Iterator[Change]:
    before = {cell.server: cell for cell in old.held if not cell.failed}
    for now in new.held:
        then = before.get(now.server)
        if then is None or now.failed:
            continue
        for name, figure in HELD.items():
            a, b = getattr(then, name), getattr(now, name)
            if a is not None and b is not None:
                together = 2 * noise.FIGURES[figure].floor
                when = " before" if "before" in name else ""
                yield Change(f"{now.server}, held{when}", figure, a, b, together)


def _both(old: Results, new: Results) -> Iterator[tuple[Cell, Cell]]:
    before = {(cell.server, cell.load): cell for cell in old.cells}
    for now in new.cells:
        if (now.server, now.load) in before:
            yield before[now.server, now.load], now


def _differences(old: Results, new: Results) -> Iterator[str]:
    """What else is not as it was."""
    for key in SAME_MACHINE:
        a, b = (each.machine.get(key) for each in (old, new))
        if a != b:
            yield f"another machine: {key} was {a}, is {b}"
    loads = [each.machine.get("load_average") or 0.0 for each in (old, new)]
    if max(loads) > IDLE_MACHINE:
        yield (
            f"somebody else was at work: the load average at the start was {loads[0]:.1f} then, "
            f"{loads[1]:.1f} now"
        )
    if old.settings["rounds"] != new.settings["rounds"]:
        yield f"rounds: {old.settings['rounds']} then, {new.settings['rounds']} now"
    for then, now in _both(old, new):
        was, is_now = (cell.failed or cell.limit or "measured" for cell in (then, now))
        if then.usable != now.usable or bool(then.failed) != bool(now.failed):
            yield f"{now.server}, {now.load}: then: {was}; now: {is_now}"


def _not_compared(old: Results, new: Results) -> Iterator[str]:
    """Where figures are not the server's."""
    usable = [pair for pair in _both(old, new) if all(cell.usable for cell in pair)]
    limited = sum(noise.limited_by_the_client("per_second", *pair) for pair in usable)
    other_states = sum(changes.in_other_states(*pair) for pair in usable)
    if other_states:
        yield (
            f"in {_cells(other_states)} the host had the cpus at another distance, and all "
            "takes another time then: only memory and calls are compared"
        )
    if limited:
        yield (
            f"in {_cells(limited)} the client could do no more: their requests/s and "
            "latencies are not compared"
        )


def _cells(number: int) -> str:
    return f"{count(number)} cell{'s' * (number > 1)}"

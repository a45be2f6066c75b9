"""The page's tables: how long each client took, what the calls say of it, how many there were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from harness import syscalls
from harness.trace import words
from harness.trace.calls import parse
from harness.trace.recording import Recording
from harness.trace.story import Story
from harness.trace.verdict import Verdict

_LISTS = syscalls.SELECT | syscalls.POLL
_EVENTS = _LISTS | syscalls.EPOLL
_TEXT, _LONG = "text", "text long"  # classes of cells and of their columns' heads

Cell = tuple[str, str]  # what is in it, as HTML, and its class


def times(told: Sequence[Story]) -> str:
    """A line for each picture: what it is, and how long each client was there."""
    clients = list(dict.fromkeys(row.name for each in told for row in each.rows))
    lines = []
    for each in told:
        took = {row.name: words.total(row) for row in each.rows}
        said = escape(each.verdict)
        if words.misfits(each):
            said += f' <b class="odd">not {escape(each.name)}</b>'
        lines.append([
            (escape(each.name), _TEXT), (said, _LONG),
            *((escape(took.get(name, "")), "") for name in clients),
        ])  # fmt: skip
    head = [("server", ""), ("what its system calls say", _LONG)]
    return _table([*head, *((f"client\u00a0{name}", "") for name in clients)], lines)


def verdicts(told: Story) -> str:
    """A line for each connection: all that its verdict rests on."""
    labels = {lane.task: lane.label for lane in told.lanes}
    head = [("client", ""), ("took", ""), ("verdict", _LONG)]
    head += [
        (each, _TEXT)
        for each in ("accepted by", "read by", "the reader was born",
                     "waited for, with others, in", "trigger", "descriptor passed")
    ]  # fmt: skip
    lines = []
    for row in told.rows:
        seen = row.verdict
        cells = [
            _task(seen.acceptor, labels), _task(seen.reader, labels), _age(seen),
            seen.watched or "-", seen.trigger or "-", "yes, SCM_RIGHTS" if seen.passed else "no",
        ]  # fmt: skip
        first = [(escape(row.name), ""), (words.total(row), ""), (escape(str(seen)), _LONG)]
        lines.append([*first, *((escape(each), _TEXT) for each in cells)])
    return _table(head, lines)


def calls(told: Sequence[Story], recordings: Sequence[Recording]) -> str:
    """A column for each picture: how often each call was made, and what one wait has to list."""
    names = {name for each in told for name, _ in words.counts(each)}
    lines: list[list[Cell]] = []
    for name in sorted(names, key=lambda name: (words.rank(name), name)):
        lines.append([(name, ""), *((str(each.counts.get(name, "")), "") for each in told)])
    lines.append([("all calls", ""), *((str(sum(each.counts.values())), "") for each in told)])
    lists = [("descriptors handed to one wait, at most", _LONG)]
    lines.append([*lists, *((escape(listed(each)), "few") for each in recordings)])
    return _table([("call", ""), *((escape(each.name), "few") for each in told)], lines)


def listed(recording: Recording) -> str:
    """How many descriptors the longest list has that was handed over to wait; "" if none was."""
    most: dict[str, int] = {}
    for task, lines in recording.tasks.items():
        for call in parse(task, lines):
            if call.name in _EVENTS and 0 <= call.end and call.start < recording.span:
                name = words.spoken(call.name)
                count = 0 if call.name in syscalls.EPOLL else _listed(call.name, call.args)
                most[name] = max(most.get(name, 0), count)
    return "\n".join(f"{name} {count}" for name, count in sorted(most.items(), reverse=True))


def _listed(name: str, args: str) -> int:
    if name in syscalls.POLL:  # the array may be abridged, its length is not
        numbers = [each for each in args.split("], ")[-1].split(", ") if each.lstrip("-").isdigit()]
        return int(numbers[0]) if numbers else 0
    return len({word.strip("[").split("<")[0] for word in args.split() if "<" in word})


def _age(seen: Verdict) -> str:
    if not seen.reader or seen.reader == seen.acceptor:
        return "-"
    return "after the accept" if seen.born_after else "before the accept"


def _task(task: int, labels: dict[int, str]) -> str:
    return f"{labels.get(task, 'task')} ({task})" if task else "nobody"


def _cells(cells: Iterable[Cell], tag: str) -> str:
    return "".join(
        f'<{tag} class="{kind}">{text}</{tag}>' if kind else f"<{tag}>{text}</{tag}>"
        for text, kind in cells
    )


def _table(head: Iterable[Cell], lines: Iterable[Sequence[Cell]]) -> str:
    body = "\n".join(f"<tr>{_cells(line[:1], 'th')}{_cells(line[1:], 'td')}</tr>" for line in lines)
    return (
        f'<div class="scroll"><table><thead><tr>{_cells(head, "th")}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )

"""`make trace` with servers that are unfinished, wrong or hostile, and when it is interrupted.

Whatever they do, it ends with a picture or with a sentence.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness import proc, strace
from harness.findings import Finding
from harness.tests import broken
from harness.tests.traced import NAMES, path, told
from harness.trace import __main__ as cli
from harness.trace import failures, layout, page, recording, remarks, svg
from harness.trace.recording import Visitor

KIT = Path(__file__).parents[2]
traced = pytest.mark.skipif(bool(strace.unavailable()), reason=strace.unavailable())
with_recordings = pytest.mark.skipif(not NAMES, reason="no recordings in slides/traces")
Capture = pytest.CaptureFixture[str]

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
SERVER = """#!{python}
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
listener = socket.create_server({address}, family=socket.{family}, dualstack_ipv6={dual})
print(f"listening on http://127.0.0.1:{{listener.getsockname()[1]}} "
      f"stage=06-epoll-lt pid={{os.getpid()}}", flush=True)
kept = []
for number in range(100):
    client, _ = listener.accept()
    kept.append(client)
    got = b"-"
    while b"\\r\\n\\r\\n" not in got[1:] and got:
        got = got + client.recv(1000)
    {serve}
"""
DIES = r"""os.write(2, b"<script>alert(1)</script> & \x1b[31m\x00 \xff ]]>" + b"on " * 300)
    os._exit(7)"""
LIES = r"""
    name = os.path.join(os.path.dirname(__file__), "a ] file> (x) = 3")
    liar = os.open(name, os.O_CREAT | os.O_RDWR)
    said = b'x", 3) = 0 <0.1>\n1.5 accept4(3<TCP:[127.0.0.1:9->127.0.0.1:2]>, 0) = 5 <0.1>\n+++\n'
    os.write(liar, said)
    client.sendall(%r + said)
    os.write(1, said + b"1.0 +++ exited with 0 +++\n")
    client.close()""" % REPLY  # noqa: UP031 - braces mean something else here


def program(folder: Path, serve: str, family: str = "AF_INET") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "server"
    dual = family == "AF_INET6"
    address = ("::" if dual else "127.0.0.1", 0)
    made.write_text(
        SERVER.format(
            python=sys.executable, family=family, address=address, dual=dual, serve=serve
        )
    )
    made.chmod(0o755)
    return made


def trace(program: Path, out: Path) -> int:
    return cli.main(["--server", str(program), "--technique", "06", "--out", str(out)])


# --- code that is not written yet ---------------------------------------------------------------


@traced
def test_a_gap_is_told_once_for_all_servers_that_fall_into_it(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "build" / "bin"
    folder.mkdir(parents=True)
    for name in ("02-thread", "03-pool"):
        broken.program(folder, "not-implemented").rename(folder / name)
    assert cli.main(["--dir", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    first, hint, then = capsys.readouterr().err.splitlines()
    assert first == "trace: 02-thread 03-pool come to code that is not written yet: lab 02: start()"
    assert hint == "       hint: a thread for each"
    assert "make next" in then


@traced
def test_a_gap_that_only_a_client_finds(tmp_path: Path, capsys: Capture) -> None:
    gap = 'print("not implemented: lab 06: serve() (hint: read)", file=sys.stderr); os._exit(70)'
    assert trace(program(tmp_path, gap), tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "the pictures, compared" in said.out
    assert "trace: 06-epoll-lt comes to code that is not written yet: lab 06: serve()" in said.err
    assert "hint: read" in said.err


def test_what_was_expected_and_a_hint_follow_and_nothing_reaches_the_terminal(
    capsys: Capture,
) -> None:
    failed = failures.Failures()
    failed.before()
    failed.add("06", Finding("it said \x1b[31m\n and died", expected="a line", hint="flush it"))
    failed.tell()
    assert failed.any
    assert capsys.readouterr().err.splitlines() == [
        "trace: 06: it said [31m and died", "       expected: a line", "       hint: flush it",
    ]  # fmt: skip


# --- servers that do wrong ----------------------------------------------------------------------


@traced
def test_last_words_are_no_markup_and_fit_the_picture(tmp_path: Path, capsys: Capture) -> None:
    evil = program(tmp_path / "<script>alert(1)<" / "b>", DIES)
    assert trace(evil, tmp_path / "out") == 0
    assert "\x1b" not in capsys.readouterr().out
    picture = (tmp_path / "out" / "06-epoll-lt.svg").read_text()
    ElementTree.fromstring(picture)
    assert "<script" not in picture
    whole = (tmp_path / "out" / "index.html").read_text()
    assert whole.count("<script") == 1
    assert "This is /" in whole and "&lt;script&gt;alert(1)&lt;/b&gt;/server." in whole
    (note,) = [each.text for each in ElementTree.fromstring(picture).iter()
               if (each.text or "").startswith("the server has ended")]  # fmt: skip
    assert note.endswith("...")
    assert layout.width(note, layout.TEXT, bold=True) <= layout.EDGE - layout.LEFT
    assert recording.load(tmp_path / "out" / "06-epoll-lt.json").note.count("on ") > 50


@traced
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_bytes_that_look_like_a_log_are_none(tmp_path: Path, capsys: Capture, family: str) -> None:
    assert trace(program(tmp_path, LIES, family), tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "one client at a time (6 of 6 connections)" in said
    assert re.search(r"A \d+  B \d+  C \d+  D \d+  E \d+  F [\d.]+ ms", said)


@traced
def test_nothing_is_left_of_a_trace_not_even_zombies(tmp_path: Path) -> None:
    """A process of the server stays behind; in the end nobody is a child of the harness."""
    leaves = f"client.sendall({REPLY!r}); client.close(); number or os.fork() or signal.pause()"
    code = (
        "import os, sys; from harness import proc; from harness.trace import record, __main__; "
        "record.LOG_SECONDS = 0.1; status = __main__.run(); "
        "print([x for x in proc.all_processes() if x.parent == os.getpid()]); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--server", program(tmp_path, leaves), "--technique", "06",
         "--out", tmp_path / "out"],
        cwd=KIT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "[]"


def test_remarks_are_made_once_for_all_who_fare_alike() -> None:
    unread, kept = Visitor("A", 1, 0.0, outcome="gave up", unread=61), "gave up"
    assert remarks.remark(unread, "accept4") == (
        "61 bytes of {who} lie unread, and the server sleeps in accept4"
    )
    assert "does not close" in remarks.remark(Visitor("A", 1, 0.0, first=1.0, outcome=kept), "")
    assert "no HTTP" in remarks.remark(Visitor("A", 1, 0.0, first=1.0, outcome="closed"), "")
    assert not remarks.remark(Visitor("A", 1, 0.0, outcome="closed"), "")
    assert not remarks.remark(Visitor("A", 1, 0.0, first=1.0, outcome="200"), "")
    text = remarks.remark(unread, "")
    assert remarks.together({"B": text}) == ["61 bytes of B lie unread"]
    assert remarks.together({"B": text, "A": text, "C": "{who}: odd"}) == [
        "61 bytes of each of A B lie unread", "C: odd",
    ]  # fmt: skip


def test_logs_that_are_too_long_are_cut_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    short = {1: ["0.1 read(0) = 1"] * 3}
    assert recording.bounded(short) == (short, "")
    monkeypatch.setattr(recording, "MOST_LINES", 10)
    long = {1: ["0.1 read(0) = 1"] * 90 + ["0.2 clone(x) = 9", "0.3 +++ exited with 0 +++"],
            2: ["0.1 poll() = 1"] * 2}  # fmt: skip
    kept, said = recording.bounded(long)
    assert kept[2] == long[2]
    assert kept[1] == long[1][:8] + long[1][-2:]
    assert said == "of 94 calls only the first 10 are drawn"


@with_recordings
def test_what_xml_cannot_say_is_left_out_of_a_picture() -> None:
    made = recording.load(path("06-epoll-lt"))
    made.note, made.caption = "a \x00 \x1b \ufffe note", "\x08"
    from harness.trace import telling

    ElementTree.fromstring(svg.draw(telling.tell(made)))


@with_recordings
def test_keys_are_the_digits_of_the_stages_or_else_the_first_ones() -> None:
    stage = told("06-epoll-lt")
    other = [type(stage)(**{**vars(stage), "name": f"prefork-{each}"}) for each in "abc"]
    assert page._keys([stage, other[0]]) == ["6", ""]
    assert page._keys(other) == ["1", "2", "3"]


# --- interrupted --------------------------------------------------------------------------------


@traced
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    mark = tmp_path / "pid"
    server = program(tmp_path, f"number or open({str(mark)!r}, 'w').write(str(os.getpid()))")
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.trace", "--server", server, "--technique", "06",
         "--out", tmp_path / "out"],
        cwd=KIT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    said = process.communicate(timeout=20)
    assert (process.returncode, *said) == (130, "", "trace: interrupted\n")
    assert not proc.stat(int(mark.read_text()))
    assert not list(tmp_path.glob("c10k-trace-*"))

"""Markers: what they become, and that everything malformed is refused with place and reason."""

from __future__ import annotations

import pytest

from harness.lab import markers
from harness.lab.markers import MarkerError

SOURCE = """\
// A server.

#include "net/fd.hh"

#include <vector>

#include "http/session.hh"
#include "server/run.hh"

int drain(int fd) {
  //@lab 07 read until EAGAIN
  while (true) {
    read(fd);
  }
  //| (void)fd;
  //| lab::not_implemented("lab 07: drain()",
  //|                      "an edge wakes you once");
  //|
  //@end
}

//@staff
// for us only
//@end

int more() {
  //@lab 04 count
  return 2;
  //| return 0;
  //@end
}
"""

STARTER = """\
// A server.

#include "net/fd.hh"

#include <vector>

#include "http/session.hh"
#include "lab/not_implemented.hh"
#include "server/run.hh"

int drain(int fd) {
  // TODO(lab 07): read until EAGAIN
  (void)fd;
  lab::not_implemented("lab 07: drain()",
                       "an edge wakes you once");

}

int more() {
  // TODO(lab 04): count
  return 0;
}
"""


def handed_out(path: str, text: str, first_open: int = 0) -> str:
    return markers.apply(path, markers.parse(path, text), first_open)


def test_a_hole_becomes_its_stub() -> None:
    assert handed_out("stages/07/server.cc", SOURCE) == STARTER


def test_labs_before_the_first_open_one_arrive_solved() -> None:
    some = handed_out("server.cc", SOURCE, 5)
    assert "  return 2;\n}" in some
    assert "(void)fd;" in some
    every = handed_out("server.cc", SOURCE, 8)
    without = [line for line in SOURCE.splitlines() if "//@" not in line and "//|" not in line]
    without.remove("// for us only")
    assert every == "\n".join(without).replace("\n\n\n", "\n\n") + "\n"


def test_what_has_no_marker_is_the_same() -> None:
    for path in ("server.cc", "harness/x.py", "Makefile", "README.md", "data.json"):
        text = "one\n\n\n  two // three | four # five\n"
        assert handed_out(path, text) == text
        assert handed_out(path, "") == ""


@pytest.mark.parametrize(
    "path", ["harness/x.py", "Makefile", "setup/x.sh", "labs/x/lab.toml", ".gitignore"]
)
def test_other_languages(path: str) -> None:
    text = "a\n\n  #@staff\nb\n#@end\n\n#@lab 02 say c\nc\n#| d\n#@end\n"
    assert handed_out(path, text) == "a\n\n# TODO(lab 02): say c\nd\n"


def test_markdown_has_staff_blocks() -> None:
    assert handed_out("README.md", "a\n<!--@staff-->\nb\n<!--@end-->\nc\n") == "a\nc\n"


@pytest.mark.parametrize(
    "before, after",
    [
        ("", '#include "lab/not_implemented.hh"\n\n'),
        ("// Text.\n", '// Text.\n\n#include "lab/not_implemented.hh"\n\n'),
        ("// Text.\n\n", '// Text.\n\n#include "lab/not_implemented.hh"\n\n'),
        ("#include <a>\n", '#include <a>\n\n#include "lab/not_implemented.hh"\n'),
        ('#include "own.hh"\n', '#include "own.hh"\n\n#include "lab/not_implemented.hh"\n'),
        (
            '#include <a>\n\n#include "net/fd.hh"\n',
            '#include <a>\n\n#include "lab/not_implemented.hh"\n#include "net/fd.hh"\n',
        ),
        (
            '#include <a>\n\n#include "app/x.hh"\n',
            '#include <a>\n\n#include "app/x.hh"\n#include "lab/not_implemented.hh"\n',
        ),
    ],
)
def test_the_include_that_stubs_need(before: str, after: str) -> None:
    hole = 'int a;\n//@lab 00 x\n1;\n//| lab::not_implemented("x", "y");\n//@end\n'
    stub = 'int a;\n// TODO(lab 00): x\nlab::not_implemented("x", "y");\n'
    assert handed_out("a.cc", before + hole) == after + stub


HOLE = "//@lab 04 x\n1;\n//| 2;\n//@end\n"


@pytest.mark.parametrize(
    "text, line, reason",
    [
        # unknown and incomplete words
        ("//@hole 04 x\n", 1, "unknown word @hole"),
        ("//@Lab 04 x\n", 1, "unknown word @Lab"),
        ("//@stuff\n", 1, "unknown word @stuff"),
        ("//@\n", 1, "no word right after the @"),
        ("//@ lab 04 x\n", 1, "no word right after the @"),
        ("//@lab\n1;\n//| 2;\n//@end\n", 1, "a number of two digits and a title"),
        ("//@lab read it all\n1;\n//| 2;\n//@end\n", 1, "a number of two digits and a title"),
        ("//@lab 4 x\n1;\n//| 2;\n//@end\n", 1, "a number of two digits and a title"),
        ("//@lab 004 x\n1;\n//| 2;\n//@end\n", 1, "a number of two digits and a title"),
        ("//@lab 04\n1;\n//| 2;\n//@end\n", 1, "a number of two digits and a title"),
        ("//@lab 04 \n1;\n//| 2;\n//@end\n", 1, "a number of two digits and a title"),
        ("//@lab 77 x\n1;\n//| 2;\n//@end\n", 1, "no lab 77: there are 00 04"),
        ("//@lab04 x\n", 1, "unknown word @lab04"),
        # blocks
        ("a\n//@lab 04 x\n1;\n//| 2;\n", 2, "never closed"),
        ("a\n//@staff\n1;\n", 2, "never closed"),
        ("//@end\n", 1, "@end alone"),
        (HOLE + "//@end\n", 5, "@end alone"),
        ("//@lab 04 x\n1;\n//@lab 04 y\n", 3, "@lab inside the //@lab of line 1"),
        ("//@lab 04 x\n1;\n//@staff\n", 3, "@staff inside the //@lab of line 1"),
        ("//@staff\n//@staff\n", 2, "@staff inside the //@staff of line 1"),
        ("//@staff\n1;\n//@lab 04 x\n", 3, "@lab inside the //@staff of line 1"),
        ("//@lab 04 x\n1;\n//@end\n", 1, "without a stub"),
        ("//@lab 04 x\n//| 2;\n//@end\n", 1, "without a reference"),
        ("//@lab 04 x\n\n//| 2;\n//@end\n", 1, "without a reference"),
        ("//@lab 04 x\n1;\n//| 2;\n3;\n//@end\n", 4, "a line after the stub"),
        ("//| 2;\n", 1, "a stub outside a block"),
        ("//@staff\n//| 2;\n//@end\n", 2, "a stub outside a block"),
        (HOLE + "//| 2;\n", 5, "a stub outside a block"),
        ("//@end 04\n", 1, "text after @end"),
        ("//@staff only\n", 1, "text after @staff"),
        # what is nearly a marker
        ("// @lab 04 x\n1;\n", 1, "nearly a marker"),
        ("//  @staff\n", 1, "nearly a marker"),
        ("//\t@end\n", 1, "nearly a marker"),
        ("/*@lab 04 x*/\n", 1, "nearly a marker"),
        ("/* @staff */\n", 1, "nearly a marker"),
        ("#@staff\n", 1, "nearly a marker"),
        ("///@lab 04 x\n", 1, "a marker after code"),
        ("int a;  //@lab 04 x\n", 1, "a marker after code"),
        ("//@lab 04 x\n1;  //@end\n", 2, "a marker after code"),
        ("int a;  // @staff\n", 1, "a marker after code"),
        ("//@lab 04 x\n1;\n//|2;\n//@end\n", 3, "a stub without a space"),
        ("//@lab 04 x\n1;\n// | 2;\n//@end\n", 3, "nearly a stub"),
        ("//@lab 04 x\n1;  //| 2;\n//@end\n", 2, "nearly a stub"),
    ],
)
def test_malformed_markers_are_refused(text: str, line: int, reason: str) -> None:
    with pytest.raises(MarkerError) as caught:
        markers.parse("stages/x.cc", text, {"00", "04"})
    assert str(caught.value).startswith(f"stages/x.cc:{line}: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "path, text, reason",
    [
        ("x.py", "# @lab 04 x\n", "write it as #@lab NN title"),
        ("x.py", "x = 1  #@staff\n", "a marker after code"),
        ("x.py", "//@staff\n", "nearly a marker"),
        ("Makefile", "#@end\n", "it closes #@lab NN title or #@staff"),
        ("Makefile", "#| x\n", "#| lines stand at the end of a #@lab NN title block"),
        ("lab.toml", "#@staff\n", "write #@end on a line of its own"),
        ("README.md", "<!-- @staff -->\n", "nearly a marker"),
        ("README.md", "text <!--@staff-->\n", "a marker after code"),
        ("README.md", "<!--@staff\n-->\n", "this marker does not end on its line"),
        ("README.md", "<!--@lab 04 x-->\n", "only @staff blocks are understood"),
        ("README.md", "<!--@staff-->\n", "write <!--@end--> on a line of its own"),
        ("README.md", "<!--@end-->\n", "@end alone"),
    ],
)
def test_malformed_in_other_languages(path: str, text: str, reason: str) -> None:
    with pytest.raises(MarkerError) as caught:
        markers.parse(path, text)
    assert str(caught.value).startswith(f"{path}:1: ")
    assert reason in str(caught.value)


def test_what_is_no_marker_may_look_a_little_like_one() -> None:
    table = "// a | b\n// | c |\nint end;  // @param x\nemail@lab.org\n"
    assert handed_out("x.cc", table) == table
    assert handed_out("x.py", "f('//|')\n@lab\ndef x(): ...\n")

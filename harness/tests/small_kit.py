"""A small tree of the same form as this one: one lab, one of each kind of file, no git."""

from __future__ import annotations

from pathlib import Path

SERVER = """\
int advance(int client) {
  //@lab 04 answer what came, send what fits
  int x = begin();
  // The order matters: an answer may be complete only after the one that was begun before it.
  while (wants_to_write(client) && bytes_left(client) > 0) {
    send_some(client, buffer, size);
  }
  //| (void)client;
  //| return 0;
  //@end
}
"""
ONE_LINE = "while (wants_to_write(client) && bytes_left(client) > 0) {"
STAFF = 'the_secret_of("staff", only(for_us), and_nobody_else());'


def make(kit: Path) -> Path:
    """Write it there."""
    files = {
        "stages/04-select/server.cc": SERVER,
        "stages/04-select/README.md": "# 04\n",
        "common/net/fd.hh": f"//@staff\n{STAFF}\n//@end\nint fd;\n",
        "common/tests/fd_test.cc": "x\n",
        "harness/say.py": "say = 1\n",
        "harness/tests/test_x.py": "x = 1\n",
        "harness/lab/markers.py": "x = 1\n",
        "harness/lab/grade.py": "x = 1\n",
        "harness/lab/trial.py": "#@staff\nx = 1\n#@end\n",
        "labs/README.md": "staff\n",
        "labs/report.md": "# Report\n",
        "labs/handout/README.md": "# Hello\n",
        "labs/04-select/README.md": "# Lab 04\n",
        "labs/04-select/lab.toml": "title = 'x'\n",
        "labs/04-select/mutants.toml": "mutant = []\n",
        "setup/deps.sh": "#!/bin/sh\n",
        "setup/test.sh": "#!/bin/sh\n",
        "build/bin/04-select": "x",
        "harness/__pycache__/say.pyc": "x",
        ".ci/run": "x\n",
        ".gitignore": "build/\n__pycache__/\n",
        "Makefile": "all:\n",
        "README.md": "staff\n",
        "LICENSE": "free\n",
    }
    for path, text in files.items():
        write(kit, path, text)
    (kit / "setup/deps.sh").chmod(0o755)
    return kit


def write(kit: Path, path: str, text: str) -> None:
    (kit / path).parent.mkdir(parents=True, exist_ok=True)
    (kit / path).write_text(text)

"""Named pieces of C++ sources, and what `make diff` prints of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import regions, stagediff
from harness.regions import RegionError
from harness.stagediff import KIT

SOURCE = '''\
// The idea, in two lines: one { brace in
// a comment.

#include <x.hh>

namespace {

using Id = std::uint64_t;  // what comes back
constexpr int batch = 64;  // clients
constexpr auto pause = std::chrono::milliseconds(250);
const std::string brace = "}";
constexpr auto twice = [](int x) { return 2 * x; };

struct Connection {
  net::Fd socket;
  int alarm = 0;
};

enum class Fate { lives, dies };

class Server {
 public:
  explicit Server(const Context& context) : context_(context), fd_{open()} {
    begin();
  }
  ~Server() = default;

  // Runs.
  // For long.
  void run() {
    if (text == "{" || c == '{') {
      stop();
    }
  }

  int over(int x) { return x; }
  int over(long x) { return 0; }
  bool operator()(int x) const { return x > 0; }

 private:
  const Context& context_;
  const net::Fd fd_{-1};
  std::array<char, 16 * 1024> buffer_;
};

template <typename T>
T one(T value) {
  return value;
}

void later(int x);

}  // namespace

void later(int x) {
  (void)x;
}

int main() { return 0; }
'''


def lines(name: str, source: str = SOURCE) -> str:
    region = regions.find("x.cc", source, name)
    return "\n".join(source.splitlines()[region.first - 1 : region.last])


@pytest.mark.parametrize(
    "name, first, last",
    [
        ("Id", "using Id", "// what comes back"),
        ("batch", "constexpr int batch", "// clients"),
        ("pause", "constexpr auto pause", "(250);"),
        ("brace", "const std::string", '"}";'),
        ("twice", "constexpr auto twice", "2 * x; };"),
        ("Connection", "struct Connection {", "};"),
        ("Fate", "enum class Fate", "dies };"),
        ("Server", "class Server {", "};"),
        ("Server::Server", "  explicit Server(", "  }"),
        ("run", "  void run() {", "  }"),
        ("Server::run", "  void run() {", "  }"),
        ("fd_", "  const net::Fd fd_", "{-1};"),
        ("buffer_", "  std::array", "buffer_;"),
        ("one", "template <typename T>", "}"),
        ("later", "void later(int x) {", "}"),
        ("main", "int main() {", "}"),
        ("idea", "// The idea", "// a comment."),
    ],
)
def test_a_region_by_its_name(name: str, first: str, last: str) -> None:
    assert lines(name).startswith(first)
    assert lines(name).endswith(last)


def test_the_comment_above() -> None:
    region = regions.find("x.cc", SOURCE, "run")
    assert SOURCE.splitlines()[regions.above(SOURCE, region) - 1] == "  // Runs."


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(RegionError, match="x.cc: there is no `gone`"):
        regions.find("x.cc", SOURCE, "gone")


def test_what_is_there_twice_is_no_answer() -> None:
    with pytest.raises(RegionError, match=r"`over` is there 2 times \(Server::over in line"):
        regions.find("x.cc", SOURCE, "over")


def test_markers_are_no_part_of_a_source() -> None:
    text = "int f() {\n  //@lab 04 write it\n  return 1;\n  //| return 0;\n  //@end\n}\n"
    assert regions.plain(text) == "int f() {\n  return 1;\n}\n"


@pytest.mark.parametrize("stage", sorted(path.name for path in KIT.glob("stages/[0-9]*")))
def test_stages_are_understood(stage: str) -> None:
    """Every function of a stage that its diffs and slides may name, to its last brace."""
    path, text = stagediff.source(stage)
    found = regions.regions(text)
    assert "main" in [region.name for region in found]
    for region in found:
        if region.defined and region.last > region.first:
            part = "\n".join(text.splitlines()[region.first - 1 : region.last])
            bare = regions.masked(part)
            assert bare.count("{") == bare.count("}"), f"{path}: {region.full}"


def test_a_diff_of_one_function() -> None:
    old, new = (stagediff.source(stage, "watch") for stage in ("05-poll", "06-epoll-lt"))
    diff = stagediff.unified(old, new)
    assert diff[0] == "--- stages/05-poll/server.cc"
    assert any(line.startswith("+") and "EPOLL_CTL_MOD" in line for line in diff)
    assert 5 < stagediff.changed(diff) < 40


def test_make_diff_says_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert stagediff.main(["05", "06", "gone"]) == 2
    assert "stages/05-poll/server.cc: there is no `gone`" in capsys.readouterr().err
    assert stagediff.main(["05", "66"]) == 2
    assert stagediff.main(["05", ""]) == 2


def test_the_whole_diff_counts_its_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stagediff.main(["05", "06"]) == 0
    shown = capsys.readouterr().out.splitlines()
    changed = [line for line in shown[2:-1] if line[0] in "+-"]
    assert shown[-1] == f"{len(changed)} changed lines"

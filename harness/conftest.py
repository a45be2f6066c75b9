"""pytest's side of the harness: options, one test per stage, fixtures, and the report."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import clock, findings, processes, stages
from harness.findings import Finding, report, rows, transcript
from harness.fixtures import Shared, Starter, make_root
from harness.server import Server, Target
from harness.stages import Stage

KIT = Path(__file__).resolve().parent.parent
ORDER = (  # cheap to costly; the last one ends the server that the others have shared
    "start", "options", "endpoints", "framing", "refusals", "files", "splits", "concurrency",
    "pool", "technique", "lifecycle", "clients", "timeouts", "backpressure", "faults", "batches",
    "limits", "kills", "resources", "tools", "strace", "farewell",
)  # fmt: skip
_ADDRESS = "http://127.0.0.1:8080"
SLOWDOWN = {"address": 2.0, "undefined": 1.2, "thread": 3.0}
_outcome = pytest.StashKey[bool]()
told = pytest.StashKey[dict[str, str]]()  # of a check that failed: its rows, "case" first


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("c10k", "C10K Lab")
    group.addoption("--stage", default="", help='numbers or names: "05 06-epoll-lt" (all)')
    group.addoption("--bin-dir", default="build/bin", help="where the servers are (build/bin)")
    group.addoption("--server", default="", help="judge this program instead of the kit's")
    group.addoption("--technique", default="", help="the stage that --server claims to be")


def pytest_configure(config: pytest.Config) -> None:
    processes.become_subreaper()
    clock.calibrate()
    targets = _targets(config)
    clock.stretch(max([1.0, *(SLOWDOWN[name] for t in targets for name in t.sanitizers)]))


def _targets(config: pytest.Config) -> list[Target]:
    foreign, technique = config.getoption("--server"), config.getoption("--technique")
    if bool(foreign) != bool(technique):
        raise pytest.UsageError("--server PROGRAM and --technique STAGE belong together")
    try:
        wanted = stages.chosen(technique or config.getoption("--stage"), KIT)
    except stages.UnknownStageError as error:
        raise pytest.UsageError(str(error)) from None
    bin_dir = Path.cwd() / config.getoption("--bin-dir")
    programs = [(stage, Path(foreign) if foreign else bin_dir / stage.name) for stage in wanted]
    return [Target(stage, program.absolute(), _sanitizers(program)) for stage, program in programs]


@functools.cache
def _sanitizers(program: Path) -> frozenset[str]:
    """Which sanitizers a program was built with: their start-up functions are in it."""
    if not program.is_file():
        return frozenset()
    code = program.read_bytes()
    signs = {"address": b"__asan_init", "undefined": b"__ubsan_handle", "thread": b"__tsan_init"}
    return frozenset(name for name, sign in signs.items() if sign in code)


def pytest_report_header(config: pytest.Config) -> list[str]:
    targets = _targets(config)
    names = " ".join(target.stage.name for target in targets) or "none (no stages/NN-name yet)"
    where = config.getoption("--server") or config.getoption("--bin-dir")
    return [
        f"c10k lab: {names}; programs: {where}",
        f"c10k lab: deadlines x {clock.patience(1):.1f} on this machine; own session, own port "
        "and a sweep for every server",
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" not in metafunc.fixturenames:
        return
    only = metafunc.definition.get_closest_marker("only")
    models = only.args if only else stages.MODELS
    targets = [t for t in _targets(metafunc.config) if t.stage.model in models]
    metafunc.parametrize("target", targets, ids=[target.stage.name for target in targets])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stage by stage, and within a stage from cheap to costly.

    What pytest would show as skipped, a check for models that were not chosen, is left out.
    """

    def place(item: pytest.Item) -> tuple[str, int]:
        target, module = _target(item), item.path.stem.removeprefix("test_")
        rank = ORDER.index(module) if module in ORDER else len(ORDER)
        return (target.stage.name, rank) if target else ("", 0)

    wanted = [item for item in items if _target(item) or "target" not in _parameters(item)]
    items[:] = sorted(wanted, key=place)


def _parameters(item: pytest.Item) -> dict[str, object]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec else {}


def _target(item: pytest.Item) -> Target | None:
    found = _parameters(item).get("target")
    return found if isinstance(found, Target) else None


# --- fixtures ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that all servers serve."""
    return make_root(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def shared(root: Path) -> Iterator[Shared]:
    """The holder of the server that harmless checks share."""
    holder = Shared(root)
    yield holder
    holder.discard()


@pytest.fixture
def server(target: Target, shared: Shared, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that other checks use as well: do it no harm."""
    yield shared.server(target)
    if request.node.stash.get(_outcome, False):
        try:
            shared.inspect()
        except Finding:
            shared.discard()
            raise
    else:
        shared.discard()


@pytest.fixture
def start(target: Target, root: Path, request: pytest.FixtureRequest) -> Iterator[Starter]:
    """Starts servers for this check alone; they must end in an orderly way after it."""
    starter = Starter(target, root)
    yield starter
    if request.node.stash.get(_outcome, False):
        starter.finish()
    else:
        starter.sweep()


# --- the report -------------------------------------------------------------------------------


def pytest_runtest_setup(item: pytest.Item) -> None:
    transcript.clear()
    findings.witnesses.clear()
    findings.speakers.clear()
    findings.run_options = ""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:
    outcome = yield
    result: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]
    if call.when == "call":
        item.stash[_outcome] = result.passed
    if call.excinfo and isinstance(call.excinfo.value, Finding):
        result.longrepr = _explain(item, call.excinfo.value)


def _explain(item: pytest.Item, finding: Finding) -> str:
    marker = item.get_closest_marker("story")
    story = dict(marker.kwargs) if marker else {}
    function = getattr(item, "function", None)
    case = " ".join(((function and function.__doc__) or item.name).split("\n\n")[0].split())
    title = case
    if target := _target(item):
        title = f"{target.stage.name}: {case}"
        command = finding.try_it or story.get("try_it", "")
        story["try_it"] = _try_it(command, target.stage)
    found = rows(finding, told=story, again=f"python3 -m pytest '{item.nodeid}'")
    item.stash[told] = {"case": case, **found}
    return report(title, found)


def _try_it(command: str, stage: Stage) -> str:
    """A story's command as it can be copied: with the address, and the server's pids."""
    if not command:
        return ""
    if command.startswith("make trace"):  # which starts a server of its own
        return command.replace("NN", stage.number)
    arguments = f' ARGS="{findings.run_options}"' if findings.run_options else ""
    pid = f"$(pgrep -o {stage.name[:15]})"  # the kernel keeps so many letters of a name
    words = {"URL": _ADDRESS, "PORT": "8080", "PID": pid, "WORKERS": f"$(pgrep -P {pid})"}
    lines = re.sub(rf"\b({'|'.join(words)})\b(?!=)", lambda found: words[found[1]], command)
    served = f"make run STAGE={stage.number} PORT=8080{arguments}     # and in a second terminal:"
    return "\n".join(itertools.chain([served], lines.splitlines()))

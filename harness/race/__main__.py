"""The command line of the race."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from harness.bench import janitor, loads
from harness.bench.servers import Contender, Kind, Place, contenders

CANNOT_RUN, USAGE = 1, 2
PACKAGES = "apt-get install python3-aiohttp node-d3"
FIRST_CHOICE = ["02-thread", "05-poll", "06-epoll-lt"]

try:
    from aiohttp import web

    from harness.race.contest import MOST, Contest
    from harness.race.lane import CROWD
    from harness.race.web import D3, Pages
except ModuleNotFoundError as missing:
    sys.exit(f"make race: no Python module {missing.name}: {PACKAGES}")


def main(arguments: list[str] | None = None) -> int:
    """Serves the page until Ctrl-C; 1 if something is missing, 2 on wrong usage."""
    options = _parser().parse_args(arguments)
    for needed, remedy in ((D3, PACKAGES), (options.bin_dir / CROWD, "make crowd")):
        if not needed.exists():
            print(f"make race: there is no {needed}: {remedy}", file=sys.stderr)
            return CANNOT_RUN
    known, notes = contenders(options.bin_dir, [])
    racers = [each for each in known if each.kind is Kind.STAGE or each.name == "nginx-1"]
    wanted = options.stage or FIRST_CHOICE
    chosen = [each.name for each in racers if _is_meant(each, wanted)]
    if options.stage and not len(options.stage) == len(chosen) <= MOST:
        print(f"make race: up to {MOST} of {' '.join(r.name for r in racers)}", file=sys.stderr)
        return USAGE
    if not any(each.kind is Kind.STAGE for each in racers):
        print(f"make race: {'; '.join(notes)}", file=sys.stderr)
        return CANNOT_RUN
    out = Path(tempfile.mkdtemp(prefix="c10k-race-"))
    janitor.guard_directory(out)
    try:
        asyncio.run(_serve(options, racers, chosen, out))
    except OSError as reason:  # the port is taken
        print(f"make race: {reason.strerror or reason}", file=sys.stderr)
        return CANNOT_RUN
    finally:
        shutil.rmtree(out, ignore_errors=True)
    return 0


async def _serve(
    options: argparse.Namespace, racers: list[Contender], chosen: list[str], out: Path
) -> None:
    done = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    cpus = sorted(os.sched_getaffinity(0))
    place = Place(options.bin_dir, out, loads.write_root(out / "root"), cpu=cpus[0])
    contest = Contest(racers, chosen, place, cpus[-1], options.minutes * 60)
    token = secrets.token_urlsafe(16)
    pages = Pages(contest, token, _truth(cpus))
    runner = web.AppRunner(pages.application(), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", options.port)
        await site.start()
        port = runner.addresses[0][1]
        address = f"http://127.0.0.1:{port}/{token}/"
        print(f"the race is at {address}   (Ctrl-C ends it)", flush=True)
        if not options.no_open:
            _open_browser(address)
        if len(cpus) > 1:
            os.sched_setaffinity(0, cpus[1:])  # the servers' cpu is for the servers
        await done.wait()
    finally:
        await contest.ended()
        await runner.cleanup()


def _truth(cpus: list[int]) -> dict[str, str]:
    """What has to be known to read the numbers right: when all run at once, and in turns."""
    clients = f"clients: cpu {cpus[-1]}" if len(cpus) > 1 else "and with their clients"
    honest = f"cpu {cpus[0]} ({clients}): behaviour, not records."
    return {
        "at_once": f"All run at once and compete for {honest}",
        "in_turns": f"One at a time is loaded, alone on {honest}",
    }


def _open_browser(address: str) -> None:
    if any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))) and shutil.which("xdg-open"):
        null = subprocess.DEVNULL
        command = ["xdg-open", address]
        with suppress(OSError):
            subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)


def _is_meant(contender: Contender, words: list[str]) -> bool:
    return any(word in (contender.name, contender.name.partition("-")[0]) for word in words)


def _minutes(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) <= 120:
            return float(text)
    raise argparse.ArgumentTypeError("minutes, up to 120")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m harness.race",
        description="A page on which servers are watched under load, side by side, live.",
    )
    option = parser.add_argument
    option("--stage", type=str.split, default=[], metavar='"02 06"',
           help="who is chosen at first, by number or name, nginx too (default: 02 05 06)")
    option("--bin-dir", type=Path, default=Path("build/bin"), metavar="DIR",
           help="where the servers are (default: build/bin)")
    option("--port", type=int, default=0, help="of the page (default: any free one)")
    option("--minutes", type=_minutes, default=10.0, metavar="N",
           help="how long load runs after a start (default: 10)")
    option("--no-open", action="store_true", help="do not open a browser")
    return parser


if __name__ == "__main__":
    sys.exit(main())

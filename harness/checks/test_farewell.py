"""The end of the server that most checks have shared."""

from __future__ import annotations

from harness.findings import expect, story
from harness.fixtures import Shared
from harness.server import Target


@story(
    expected="exit status 0, no process left, no sanitizer report",
    hint="It has served every check above and now gets SIGTERM. What it leaves behind, or what a "
    "sanitizer says at the end, comes from one of them.",
)
def test_shared_server_ends_well(target: Target, shared: Shared) -> None:
    """the server that served all these checks ends in an orderly way"""
    expect(shared.server(target).get("/hello").status == 200, "it does not serve any more")
    shared.finish()

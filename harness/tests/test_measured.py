"""The figures of the README are those of a results file in this tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bench.__main__ import main

ROOT = Path(__file__).parents[2]
MEASURED = sorted((ROOT / "measured").glob("*.json"))


@pytest.mark.parametrize("results", MEASURED[-1:], ids=lambda path: path.stem)
def test_the_readme_shows_what_was_measured(results: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables.md"
    assert main(["--page", str(results), "--out", str(tmp_path), "--markdown", str(tables)]) == 0
    readme = (ROOT / "README.md").read_text()
    missing = [line for line in tables.read_text().splitlines() if line not in readme]
    assert not missing, f"python3 -m harness.bench --page {results} --markdown FILE; not in README"
    assert results.name in readme


def test_there_are_results() -> None:
    assert MEASURED

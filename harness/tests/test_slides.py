"""Decks are filled from the tree: what changes there changes here, what is gone is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.slides import deck as decks
from harness.slides import fill, numbers
from harness.slides.deck import KIT, DeckError
from harness.tests.lecture import STAGE, change, fence, filled, refused, small


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    return small(tmp_path)


# --- code -------------------------------------------------------------------------------------


def test_a_region_with_its_place_and_without_markers(kit: Path) -> None:
    text = filled(kit, fence(f"cpp {STAGE} run"))
    number = (kit / STAGE).read_text().splitlines().index("  void run() {") + 1
    assert f'"at": "{STAGE}:{number}"' in text
    assert "\nvoid run() {\n" in text and "::epoll_wait" in text
    assert "//@" not in text and "//|" not in text and "not_implemented" not in text


def test_a_changed_line_changes_the_slide(kit: Path) -> None:
    before = filled(kit, fence(f"cpp {STAGE} run"))
    change(kit, STAGE, "on_alarms();\n      //|", "on_alarms(now_);\n      //|")
    after = filled(kit, fence(f"cpp {STAGE} run"))
    assert "on_alarms();" in before and "on_alarms(now_);" in after


def test_a_region_that_is_gone_fails_with_its_name(kit: Path) -> None:
    change(kit, STAGE, "void on_readable(", "void on_data(")
    said = refused(kit, fence(f"cpp {STAGE} on_readable"))
    assert said == f"slides/decks/x.md:8: {STAGE}: there is no `on_readable`"


def test_a_part_of_a_region(kit: Path) -> None:
    text = filled(kit, fence(f'cpp {STAGE} advance from="for (int i" to="answer(client.session);"'))
    assert "\nfor (int i = 0; i < send_batch" in text
    assert text.count("context_.answer") == 1 and "half_close" not in text


def test_a_part_that_is_not_there_once(kit: Path) -> None:
    said = refused(kit, fence(f'cpp {STAGE} advance from="client"'))
    assert f"{STAGE}: 'client' is " in said and "times in `advance`, not once" in said


def test_emphasised_lines(kit: Path) -> None:
    text = filled(kit, fence(f'cpp {STAGE} watch mark="EPOLLIN" mark="EPOLLOUT"'))
    assert '"mark": [3, 4]' in text
    assert "nothing to mark: 'EPOLLET'" in refused(kit, fence(f"cpp {STAGE} watch mark=EPOLLET"))


def test_several_regions_and_comments(kit: Path) -> None:
    text = filled(kit, fence(f"cpp {STAGE} accept_batch send_batch"))
    assert "before those we have get their turn\nconstexpr int send_batch" in text
    above = filled(kit, fence(f"cpp {STAGE} watch above"))
    assert "// A request that is answered at once" in above
    assert "// waiting" not in filled(kit, fence(f"cpp {STAGE} watch bare"))


def test_the_idea(kit: Path) -> None:
    assert "// 06-epoll-lt: interest is registered once" in filled(kit, fence(f"cpp {STAGE} idea"))


def test_nothing_is_pasted(kit: Path) -> None:
    assert "comes from the tree" in refused(kit, "```cpp\nint x;\n```")


def test_a_diff(kit: Path) -> None:
    text = filled(kit, fence("diff 05-poll 06-epoll-lt watch"))
    assert '"at": "make diff FROM=05 TO=06 NAME=watch"' in text
    assert "\n+  client.interest = interest;\n" in text and "\n---\n+++" not in text
    assert "there is no `gone`" in refused(kit, fence("diff 05-poll 06-epoll-lt gone"))
    assert "there is no stage" in refused(kit, fence("diff 05-poll 66"))


def test_a_mistake_and_its_answer(kit: Path) -> None:
    text = filled(kit, fence("mutant 06-epoll-lt hang-up-ignored bare"))
    assert "(void)events;" in text and "reported unasked" not in text
    assert "accept_clients() {" not in text, "no more than the function that is wrong"
    answer = filled(kit, fence("mutant-answer 06-epoll-lt hang-up-ignored"))
    assert "\n-  (void)events;\n+  if (want == Want::wait" in answer
    assert "wakes it for ever." in answer and '<p class="grader">the server wants 100%' in answer


def test_a_line_left_out_leaves_no_hole(kit: Path) -> None:
    text = filled(kit, fence("mutant 06-epoll-lt spins-at-the-limit"))
    assert "void pause_accepting() {\n  timers_.set(" in text


def test_a_mistake_that_no_longer_fits(kit: Path) -> None:
    change(kit, STAGE, "if (want == Want::wait && (events", "if (want == Want::wait and (events")
    said = refused(kit, fence("mutant 06-epoll-lt hang-up-ignored"))
    assert "hang-up-ignored: 'if (want ==" in said
    assert "there is no mistake gone" in refused(kit, fence("mutant 06-epoll-lt gone"))
    assert "another server" in refused(kit, fence("mutant 06-epoll-lt poll-instead"))


# --- numbers ----------------------------------------------------------------------------------


def test_figures_in_a_sentence(kit: Path) -> None:
    text = filled(
        kit, "{{cpu_us close-100 01-fork}}, {{ratio cpu_us close-100 01-fork 02-thread}} times, "
        "{{pss_kib_per_connection close-100 02-thread}}, {{changed 05 06}}",
    )  # fmt: skip
    assert "206 µs, 4.0 times, 14 KiB, 1" in text
    assert "measured 2031-05-04 on 2 × a CPU, Linux 6.1.0" in text


def test_a_slide_without_figures_names_no_machine(kit: Path) -> None:
    text = filled(kit, "{{cpu_us close-100 01-fork}}\n\n---\n\nNone. {{changed 05 06}}")
    assert text.count("measured 2031-05-04") == 1


@pytest.mark.parametrize(
    "words, said",
    [
        ("cpu_us close-100 09-none", "nothing of 09-none under close-100"),
        ("cpu_us close-1 01-fork", "nothing of load close-1; there are: close-10 close-100"),
        ("cpu_ms close-100 01-fork", "no figure cpu_ms"),
        ("cpu_us close-100 04-select", "no cpu_us of 04-select under close-100: select: desc"),
        ("cpu_us close-100", "write {{FIGURE LOAD SERVER}}"),
    ],
)
def test_a_figure_that_is_not_there(kit: Path, words: str, said: str) -> None:
    assert said in refused(kit, "{{" + words + "}}")


def test_numbers_toml_names_the_results(kit: Path) -> None:
    other = kit / "measured/2001-01-01.json"
    text = (kit / "measured/2031-05-04.json").read_text().replace("206.0", "106.0")
    other.write_text(text)
    (kit / "slides").mkdir()
    (kit / "slides/numbers.toml").write_text('results = "measured/2001-01-01.json"\n')
    assert "106 µs" in filled(kit, "{{cpu_us close-100 01-fork}}")


@pytest.mark.parametrize(
    "figure, value, shown",
    [
        ("cpu_us", 6.618, "6.6 µs"), ("cpu_us", 23.85, "24 µs"), ("p50_us", 3465.2, "3.5 ms"),
        ("p50_us", 999.9, "1.0 ms"), ("p99_us", 1_234_567, "1.2 s"),
        ("per_second", 149_885, "150,000/s"), ("per_second", 1_527_920, "1.5 million/s"),
        ("pss_kib_per_connection", 0.293, "0.29 KiB"), ("pss_kib", 4896, "4.8 MiB"),
        ("syscalls", 2.012, "2.0"), ("client_busy", 0.983, "98 %"), ("syscalls", 0.0, "0"),
        ("switches", 0.00027, "less than 0.01"), ("switches", 0.0067, "0.0067"),
    ],
)  # fmt: skip
def test_how_figures_are_written(figure: str, value: float, shown: str) -> None:
    assert numbers.shown(figure, value) == shown


def spec(text: str) -> dict:
    return json.loads(text.split("```vega-lite\n")[1].split("\n```")[0])


def test_bars(kit: Path) -> None:
    text = filled(kit, fence('plot cpu_us close-100 01-fork 02-thread alt="Two bars"'))
    assert spec(text)["description"] == "Two bars"
    rows = spec(text)["data"]["values"]
    assert [(row["label"], row["text"]) for row in rows] == [
        ("1 fork", "206 µs"), ("2 threads", "52 µs"),
    ]  # fmt: skip
    assert rows[0]["colour"] == "#d55e00"
    assert "measured 2031-05-04 on 2 × a CPU" in text


def test_lines(kit: Path) -> None:
    text = filled(kit, fence('plot-line cpu_us close 01-fork 02-thread alt="Two lines"'))
    assert len(spec(text)["data"]["values"]) == 4
    assert "no cpu_us of 04-select" in refused(
        kit, fence('plot-line cpu_us close 04-select alt="x"')
    )


# --- pictures, decks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "```plot cpu_us close-100 01-fork\n```", "```mermaid\ngraph LR\n  a --> b\n```",
        "```dot\ndigraph { a -> b }\n```", "![](img/x.svg)", "```trace 06-epoll-lt\n```",
    ],
)  # fmt: skip
def test_no_picture_without_a_text_alternative(kit: Path, text: str) -> None:
    said = refused(kit, f"## Slide\n\n{text}")
    assert "alternative" in said or "what does it show" in said


def test_diagrams_are_left_to_the_engine(kit: Path) -> None:
    diagram = "```dot\n// alt: two nodes\ndigraph { a -> b }\n```"
    assert diagram in filled(kit, diagram)


def test_own_pictures_come_along(kit: Path) -> None:
    for path, text in (("img/own.svg", "<svg/>"), ("decks/x.md", "---\ntitle: x\n---\n# x\n")):
        (kit / "slides" / path).parent.mkdir(parents=True, exist_ok=True)
        (kit / "slides" / path).write_text(text)
    fill.fill(kit / "slides/decks/x.md", kit, kit / "work")
    assert (kit / "work/img/own.svg").read_text() == "<svg/>"


def test_a_trace_that_was_not_recorded(kit: Path) -> None:
    said = refused(kit, fence('trace 06-epoll-lt alt="lanes"'))
    assert "no recorded trace slides/traces/06-epoll-lt.json" in said


def test_the_front_matter(kit: Path) -> None:
    text = filled(kit, "# Title", "title: A deck\nstage: 06-epoll-lt\nminutes: 25\n")
    assert "minutes" not in text
    assert 'title: "A deck"' in text and "theme: c10k" in text
    assert "section { --stage: #2f97d4; --badge: '6'; }" in text
    assert "--badge: none" in filled(kit, "# Title", "title: Opening\n")
    with pytest.raises(DeckError, match="x.md:1: the front matter has no title"):
        filled(kit, "# Title", "stage: 06-epoll-lt\n")


def test_what_is_malformed_is_said_with_its_line(kit: Path) -> None:
    assert refused(kit, "\n```cpp x") == "slides/decks/x.md:7: this fence is never closed"
    assert "no option form=" in refused(kit, fence(f"cpp {STAGE} run form=x"))


def test_decks_are_chosen_by_number_or_name(kit: Path) -> None:
    (kit / "slides/decks").mkdir(parents=True)
    for name in ("05-poll", "06-epoll-lt", "closing", "opening"):
        (kit / f"slides/decks/{name}.md").write_text("")
    assert [path.stem for path in decks.chosen("06 opening", kit)] == ["06-epoll-lt", "opening"]
    in_order = [path.stem for path in decks.chosen("", kit)]
    assert in_order == ["opening", "05-poll", "06-epoll-lt", "closing"]
    with pytest.raises(DeckError, match="there is no deck 7; there are: opening 05-poll"):
        decks.chosen("7", kit)


@pytest.mark.parametrize("path", sorted((KIT / decks.DECKS).glob("*.md")), ids=lambda p: p.stem)
def test_all_decks_can_be_filled(path: Path, tmp_path: Path) -> None:
    fill.fill(path, work=tmp_path)

"""A deck with everything in it that comes from the tree."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from harness import regions, stagediff
from harness.regions import RegionError
from harness.slides import code, console, lineplots, mistakes, numbers, pictures, plots
from harness.slides.deck import KIT, RULE, Deck, DeckError, Info, Item, load, parse_info

WORK = "build/slides/work"
_INLINE = re.compile(r"\{\{([^{}]+)\}\}")
_CLASS = re.compile(r"\s*_class: (.*)")
_CODE: dict[str, Callable[[Path, Info], str]] = {
    "cpp": code.cpp,
    "cc": code.cpp,
    "c": code.c,
    "diff": code.diff,
    "message": mistakes.message,
    "mutant": mistakes.mutant,
    "mutant-answer": mistakes.mutant_answer,
}
_FROM_THE_TREE = {*_CODE, "plot", "plot-line", "trace"}
_WRITTEN = ("console", "text", "mermaid", "dot")
_IMAGE = re.compile(r"!\[\s*\]\(")


def fill(path: Path, kit: Path = KIT, work: Path | None = None) -> Path:
    """Writes the filled deck and its pictures; its path. DeckError says what is wrong and where."""
    deck = load(path, kit)
    work = work or kit / WORK
    if (own := kit / "slides/img").is_dir():
        shutil.copytree(own, work / "img", dirs_exist_ok=True)
    (work / "img").mkdir(parents=True, exist_ok=True)
    target = work / f"{deck.name}.md"
    target.write_text(filled(deck, kit, work))
    return target


def filled(deck: Deck, kit: Path, work: Path) -> str:
    return _Filler(deck, kit, work).text()


class _Filler:
    """Goes through a deck once. `measured`: whether the slide has figures, `plotted`: a plot,
    `beside`: words beside it."""

    def __init__(self, deck: Deck, kit: Path, work: Path) -> None:
        self.deck, self.kit, self.work = deck, kit, work
        self.out: list[str] = []
        self.measured = self.plotted = self.beside = False

    def text(self) -> str:
        self.out += front_matter(self.deck, self.kit)
        for item in self.deck.items:
            try:
                self.add(item)
            except (DeckError, RegionError) as error:
                raise DeckError(str(error), self.deck.path, item.line) from None
        self.end_slide()
        return "\n".join(self.out) + "\n"

    def add(self, item: Item) -> None:
        if item.kind == "fence":
            self.out.append(self.fence(item))
        elif item.kind == "comment":
            if found := _CLASS.fullmatch(item.text):
                self.beside = "split" in found[1].split()
            self.out.append(f"<!--{self.inline(item.text)}-->")
        elif item.text == RULE:
            self.end_slide()
            self.out.append(RULE)
        else:
            if _IMAGE.search(item.text):
                raise DeckError("a picture without a text alternative: ![what it shows](...)")
            new = self.inline(item.text)
            self.measured = self.measured or new != item.text and _is_measured(item.text)
            self.out.append(new)

    def end_slide(self) -> None:
        if self.measured and not self.plotted:
            self.out += ["", plots.source_line(numbers.load(self.kit)), ""]
        self.measured = self.plotted = self.beside = False

    def fence(self, item: Item) -> str:
        if item.language not in _FROM_THE_TREE:
            return _written(item)
        if item.text.strip():
            raise DeckError(
                f"a {item.language} fence with text in it: what it shows comes from the tree"
            )
        info = parse_info(item.info)
        if item.language in _CODE:
            return _CODE[item.language](self.kit, info)
        if item.language == "trace":
            return pictures.trace(self.kit, self.work / "img", info)
        self.plotted = True
        room = plots.HALF if self.beside else plots.WIDTH
        return (plots.bars if item.language == "plot" else lineplots.lines)(self.kit, info, room)

    def inline(self, text: str) -> str:
        return _INLINE.sub(lambda found: self.word(found[1].split()), text)

    def word(self, words: list[str]) -> str:
        match words:
            case ["changed", old, new]:
                pair = (stagediff.source(stagediff.find(s, self.kit), kit=self.kit)
                        for s in (old, new))  # fmt: skip
                return str(stagediff.changed(stagediff.unified(*pair)))
            case ["lines", path]:
                return str(len(regions.read(self.kit, path).splitlines()))
            case ["source"]:
                return numbers.load(self.kit).source
        return numbers.inline(numbers.load(self.kit), words)


def _written(item: Item) -> str:
    """A fence whose text is the deck's own."""
    if item.language not in _WRITTEN:
        known = " ".join(sorted({*_FROM_THE_TREE, *_WRITTEN}))
        raise DeckError(f"a fence of what? There are: {known}")
    pictures.check_alternative(item)
    if item.language != "console":
        return f"{item.ticks}{item.language}\n{item.text}\n{item.ticks}"
    at = console.LABEL if console.is_elsewhere(item) else ""
    return code.fence("console", item.text, at=at)


def _is_measured(text: str) -> bool:
    found = (match.split()[0] for match in _INLINE.findall(text))
    return any(word not in ("changed", "lines", "source") for word in found)


def front_matter(deck: Deck, kit: Path) -> list[str]:
    """What Marp is told; the stage's colour is that of the plots."""
    if not deck.settings.get("title"):
        raise DeckError("the front matter has no title", deck.path, 1)
    styles = plots.looks(kit)
    colour, badge = styles["page"]["ink"]["light"], "none"
    if stage := deck.settings.get("stage"):
        colour = plots.look(styles, stage)["light"]
        badge = f"'{int(stage[:2])}'"
    given = {key: value for key, value in deck.settings.items() if key not in ("stage", "minutes")}
    given |= {"marp": "true", "theme": "c10k", "paginate": "true", "lang": "en", "math": "mathjax"}
    lines = [f"{key}: {_quoted(value)}" for key, value in given.items()]
    lines.append(f"footer: {_quoted(deck.settings['title'])}")
    style = f"section {{ --stage: {colour}; --badge: {badge}; }}"
    return [RULE, *lines, "style: |", f"  {style}", RULE]


def _quoted(value: str) -> str:
    if value in ("true", "false", "c10k", "mathjax", "en"):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

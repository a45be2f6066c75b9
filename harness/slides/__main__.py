"""`python3 -m harness.slides fill|html|pdf|pictures|check [DECK...]`: see slides/README.md."""

from __future__ import annotations

import argparse
import sys

from harness.regions import RegionError
from harness.slides import build
from harness.slides.deck import DeckError, chosen
from harness.slides.fill import fill


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m harness.slides")
    parser.add_argument("what", choices=("fill", "html", "pdf", "pictures", "check"))
    parser.add_argument("decks", nargs="*", help="numbers or names of decks (all)")
    arguments = parser.parse_args()
    try:
        names = (name.split("/")[-1].removesuffix(".md") for name in arguments.decks)
        decks = chosen(" ".join(names))
        if arguments.what == "check":
            from harness.slides import check

            return check.run(decks)
        written = [fill(path) for path in decks]
        if arguments.what == "fill":
            print("\n".join(map(str, written)))
            return 0
        return build.run(arguments.what, written)
    except (DeckError, RegionError) as error:
        print(f"make slides: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

"""`python3 -m harness.lab COMMAND`: what the Makefile's targets call."""

from __future__ import annotations

import argparse
import importlib
import sys

from harness.lab import labs

# command: (module, function, what --help says)
COMMANDS = {
    "grade": ("grade", "run", "the score of one lab"),
    "check": ("grade", "run_check", "a lab and those before it, up to the first failure"),
    "watch": ("watch", "run", "build and check again whenever a file is saved"),
    "next": ("next_", "run", "where you are, and what to write next"),
    "hint": ("hint", "run", "one more hint for the check that fails"),
    "try": ("try_", "run", "replay one check slowly, showing the bytes"),
    "reset": ("reset", "run", "put a lab's files back to the start, keeping yours"),
    "predict": ("predict", "run", "the questions to answer before you write anything"),
    "report": ("report", "run", "fill in the lab report with what was measured"),
    #@staff
    "handout": ("handout", "run", "write the student's repository"),
    "starter": ("handout", "run_starter", "build the starter with all compilers"),
    "docs": ("docs", "run", "run the commands of the labs' texts"),
    "pages": ("pages", "run", "renew the generated parts of the labs' pages"),
    "mutants": ("mutants", "run", "the grader's own test: seeded mistakes"),
    "selftest": ("selftest", "run", "all that the grader promises, proved"),
    #@end
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m harness.lab")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    for name, (module, function, what) in COMMANDS.items():
        each = commands.add_parser(name, help=what, description=what)
        if name != wanted:
            continue
        try:
            code = importlib.import_module(f"harness.lab.{module}")
        except ModuleNotFoundError as error:
            if error.name != f"harness.lab.{module}":
                raise
            each.error("this tree is a handout: it has no such command")
        code.options(each)
        each.set_defaults(run=getattr(code, function))
    arguments = parser.parse_args()
    try:
        return int(arguments.run(arguments))
    except labs.LabError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

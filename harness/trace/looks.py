"""How things look: the colours of stages, clients and waits, as CSS variables, light and dark."""

from __future__ import annotations

import json
from pathlib import Path

from harness.trace import story

HERE = Path(__file__).parent
_TABLE = json.loads((HERE.parent / "bench/report/colours.json").read_text(encoding="utf-8"))
STYLE = HERE / "page" / "picture.css"

# Six hues that colour-blind readers can tell apart (after Okabe and Ito); a letter is always there.
_CLIENTS = (
    ("#0069b4", "#63b8f2"),
    ("#c94f00", "#ff9350"),
    ("#00805c", "#2fcf9b"),
    ("#b8488c", "#f4a3d2"),
    ("#8a6300", "#f2c744"),
    ("#5f3b9c", "#b9a0f5"),
)
_OTHER = ("#4d5b66", "#a9b8c0")  # a client that is only there to keep the server busy
_WAITS = {  # pale: who waits does nothing
    story.ACCEPT: ("#cdd8e5", "#33465c"),
    story.EVENTS: ("#c4e3d8", "#24503f"),
    story.QUEUE: ("#e0d6ef", "#463a63"),
    story.DESCRIPTOR: ("#e3dfc0", "#4f4a2a"),
    story.SLEEP: ("#ecd9cd", "#57402f"),
}
_NO_STAGE = {"light": "#5c5c5c", "dark": "#b0b0b0"}
_ON = ("#ffffff", "#0e1217")  # letters on a full colour


def client(name: str) -> str:
    """The CSS variable of a client's colour, by its letter."""
    number = ord(name[0]) - ord("A") if name else -1
    if number < 0:
        return "var(--soft)"
    return f"var(--c{number})" if number < len(_CLIENTS) else "var(--other)"


def stage(name: str) -> dict[str, str]:
    """Number and colours of a stage, by a recording's name; grey for what is no stage."""
    number, _, rest = name.partition("-")
    known = next((each for each in _TABLE["servers"] if each.startswith(f"{number}-")), "")
    colours = _TABLE["servers"][known] if number.isdigit() and known else _NO_STAGE
    return {
        "number": number if number.isdigit() else "",
        "words": rest if number.isdigit() else name,
        "light": colours["light"],
        "dark": colours["dark"],
    }


def variables(shade: int, stages: dict[str, dict[str, str]]) -> str:
    """All colours as CSS declarations: `shade` 0 is light, 1 is dark. `stages`: by variable."""
    key = ("light", "dark")[shade]
    table = {name: each[key] for name, each in _TABLE["page"].items()}
    table |= {f"c{number}": pair[shade] for number, pair in enumerate(_CLIENTS)}
    table |= {f"w-{kind}": pair[shade] for kind, pair in _WAITS.items()}
    table |= {name: look[key] for name, look in stages.items()}
    table |= {"on": _ON[shade], "other": _OTHER[shade]}
    return " ".join(f"--{name}: {colour};" for name, colour in table.items())


def rules() -> str:
    """The style that all pictures share."""
    return STYLE.read_text(encoding="utf-8")


def alone(name: str, *, light_only: bool) -> str:
    """The style of a picture that stands for itself."""
    stages = {"stage": stage(name)}
    text = f".trace {{ {variables(0, stages)} }}\n"
    if not light_only:
        dark = variables(1, stages)
        text += f"@media screen and (prefers-color-scheme: dark) {{ .trace {{ {dark} }} }}\n"
    return text + rules()

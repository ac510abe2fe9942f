"""Fill the generated parts of the pages: `make docs` runs it, a test compares what is committed.

A part stands in a page between two comments that a reader does not see:

    <!-- generated: rooms -->
    <!-- end -->

Everything between them is replaced by what the code says today. `rooms.svg` is drawn whole.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import draw_rooms
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

from orchestrator.cli import app as command_line
from orchestrator.study.reference import markdown

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

PART = re.compile(
    r"(?P<head><!-- generated: (?P<name>[^>]+) -->\n).*?(?P<foot><!-- end -->)", re.DOTALL
)


def main() -> None:
    """Write every page and picture whose generated text differs from what is there."""
    for path, text in generated():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


def generated() -> Iterator[tuple[Path, str]]:
    """Every file with a generated part, and the text that it must have."""
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        if PART.search(text):
            yield path, PART.sub(_fill, text)
    yield DOCS / "rooms.svg", draw_rooms.draw()


def _fill(part: re.Match[str]) -> str:
    kind, _, argument = part["name"].partition(" ")
    body = PARTS[kind](argument) if argument else PARTS[kind]()
    return f"{part['head']}{body.strip()}\n{part['foot']}"


# --- rooms ----------------------------------------------------------------------------------


def folders(package: str) -> list[Path]:
    """A package and its folders, each before those inside it."""
    inits = (ROOT / package).rglob("__init__.py")
    return sorted(init.parent.relative_to(ROOT) for init in inits)


def rooms() -> str:
    """One table a package: each folder with the sentence of its `__init__.py`."""
    return "\n\n".join(
        _table(
            (f"`{package}/`", "what it is"),
            ((f"`{folder}/`", draw_rooms.sentence(ROOT / folder)) for folder in folders(package)),
        )
        for package in draw_rooms.PACKAGES
    )


# --- the command line -----------------------------------------------------------------------


def commands() -> dict[str, str]:
    """Every command by its words (`run`, `corpus add`) -> the first sentence of its help."""
    found: dict[str, str] = {}

    def collect(group: TyperGroup, words: str) -> None:
        for name, command in group.commands.items():
            if isinstance(command, TyperGroup):
                collect(command, f"{words}{name} ")
            else:
                found[words + name] = _first_sentence(command.help or "")

    root = typer.main.get_command(command_line.app)
    assert isinstance(root, TyperGroup)
    collect(root, "")
    return found


def overview() -> str:
    """Every command with the first sentence of its help."""
    return _table(
        ("command", "does"),
        (
            (f"[`ablate {words}`](#ablate-{words.replace(' ', '-')})", sentence)
            for words, sentence in commands().items()
        ),
    )


def command(words: str) -> str:
    """What `ablate WORDS --help` prints."""
    shown = CliRunner().invoke(
        command_line.app, [*words.split(), "--help"], prog_name="ablate", env={"COLUMNS": "80"}
    )
    if shown.exit_code:
        raise SystemExit(f"`ablate {words}` has a section in docs/commands.md, but is no command.")
    return f"```text\n{shown.output.strip()}\n```"


def exit_codes() -> str:
    """The exit codes, as the head of the program lists them."""
    head = (command_line.__doc__ or "").partition("\n\n")[2]
    entries = re.split(r";\s+", " ".join(head.split()).rstrip("."))
    return _table(
        ("exit code", "meaning"), ((f"{e.split()[0]}", e.partition(" ")[2]) for e in entries)
    )


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", " ".join(text.split()), maxsplit=1)[0]


# --- Markdown -------------------------------------------------------------------------------


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
                     for line in lines)  # fmt: skip


PARTS: dict[str, Callable[..., str]] = {
    "rooms": rooms,
    "keys": markdown,
    "overview": overview,
    "command": command,
    "exit": exit_codes,
}

if __name__ == "__main__":
    main()

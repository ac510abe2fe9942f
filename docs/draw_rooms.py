"""Draw the rooms of the three packages and the imports between them, as one SVG.

The arrows come from the imports that grimp finds in the source and the sentences from each room's
`__init__.py`, so the picture cannot drift from the code.
"""

import ast
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("orchestrator", "model", "features")

BOX_WIDTH, BOX_HEIGHT, STEP = 400, 62, 80
GUTTER = 96  # left of the boxes: arcs from a room to those further down
MARGIN, TITLE, GAP = 16, 40, 72

STYLE = """
  text { font: 12.5px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #333 }
  .name { font-size: 15px; font-weight: 600; fill: #1a237e }
  .title { font-size: 15px; font-weight: 600; fill: #1a1a1a }
  .package { fill: #f5f6fa; stroke: #c5cae9 }
  .room { fill: #fff; stroke: #5c6bc0; stroke-width: 1.3 }
  .import { fill: none; stroke: #7986cb; stroke-width: 1.2; marker-end: url(#tip) }
  .between { fill: none; stroke: #1a237e; stroke-width: 2.4; marker-end: url(#thick) }
"""

MARKERS = """<defs>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" \
orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#7986cb"/></marker>
<marker id="thick" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" \
orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#1a237e"/></marker>
</defs>"""

Imports = Mapping[str, frozenset[str]]
"""Room -> the rooms that it imports."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a package stands in the picture: its upper left corner, its rooms from the top."""

    package: str
    x: int
    y: int
    rooms: tuple[str, ...]

    @property
    def width(self) -> int:
        """In pixels, like all measures here."""
        return GUTTER + BOX_WIDTH + MARGIN

    @property
    def height(self) -> int:
        """In pixels: the title, and a step for each room."""
        return TITLE + len(self.rooms) * STEP

    def centre(self, room: str) -> int:
        """The height at which a room's box has its middle."""
        return self.y + TITLE + self.rooms.index(room) * STEP + BOX_HEIGHT // 2


def find_imports(graph: grimp.ImportGraph, package: str) -> Imports:
    """The rooms (folders) of a package, and which other rooms of it each imports."""
    folders = [name for name in graph.find_children(package) if graph.find_children(name)]
    inside = {name: {name, *graph.find_descendants(name)} for name in folders}

    def imports(room: str, other: str) -> bool:
        return any(
            graph.find_modules_directly_imported_by(module) & inside[other]
            for module in inside[room]
        )

    return {
        room: frozenset(other for other in folders if other != room and imports(room, other))
        for room in folders
    }


def top_down(imports: Imports) -> tuple[str, ...]:
    """The rooms in an order in which no import goes up; equals by name."""

    def depth(room: str) -> int:
        return 1 + max(map(depth, imports[room]), default=0)

    return tuple(sorted(imports, key=lambda room: (-depth(room), room)))


def sentence(folder: Path) -> str:
    """What the folder is, by the one sentence of its `__init__.py`."""
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    return ast.get_docstring(tree) or ""


def draw() -> str:
    """The picture, as the text of an SVG file."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = {package: find_imports(graph, package) for package in PACKAGES}
    orders = {package: top_down(rooms) for package, rooms in imports.items()}
    top, right = PACKAGES[0], MARGIN + GUTTER + BOX_WIDTH + MARGIN + GAP
    frames = [Frame(top, MARGIN, MARGIN, orders[top])]
    y = MARGIN
    for package in PACKAGES[1:]:
        frames.append(Frame(package, right, y, orders[package]))
        y += frames[-1].height + STEP // 2
    width = right + frames[-1].width + MARGIN
    height = max(frame.y + frame.height for frame in frames) + MARGIN
    parts = [line for frame in frames for line in _package(frame, imports[frame.package])]
    parts += [_between(frames[0], frame) for frame in frames[1:]]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">',
            "<title>The rooms of the three packages; an arrow is an import</title>",
            f"<style>{STYLE}</style>",
            MARKERS,
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _package(frame: Frame, imports: Imports) -> list[str]:
    """A package: its frame and title, its arrows, its rooms with their sentences."""
    parts = [
        f'<rect class="package" x="{frame.x}" y="{frame.y}" width="{frame.width}" '
        f'height="{frame.height}" rx="8"/>',
        f'<text class="title" x="{frame.x + 14}" y="{frame.y + 25}">{frame.package}/</text>',
    ]
    parts += [_arrow(frame, room, below) for room in frame.rooms for below in sorted(imports[room])]
    for room in frame.rooms:
        parts += _box(frame, room)
    return parts


def _arrow(frame: Frame, room: str, below: str) -> str:
    """Straight to the next room; an arc through the gutter to a room further down."""
    start, end = frame.centre(room), frame.centre(below)
    left = frame.x + GUTTER
    steps = frame.rooms.index(below) - frame.rooms.index(room)
    if steps == 1:
        x = left + BOX_WIDTH // 2
        return f'<path class="import" d="M{x},{start + BOX_HEIGHT // 2} V{end - BOX_HEIGHT // 2}"/>'
    bend = left - 22 - (GUTTER - 30) * (steps - 1) // max(len(frame.rooms) - 2, 1)
    return (
        f'<path class="import" d="M{left},{start + 6} C{bend},{start + 6} {bend},{end - 6} '
        f'{left},{end - 6}"/>'
    )


def _box(frame: Frame, room: str) -> list[str]:
    """A room: its name, and its sentence on two lines."""
    x, y = frame.x + GUTTER, frame.centre(room) - BOX_HEIGHT // 2
    about = sentence(ROOT.joinpath(*room.split(".")))
    lines = textwrap.wrap(about, 58, max_lines=2, placeholder=" …")
    return [
        f'<rect class="room" x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>',
        f'<text class="name" x="{x + 12}" y="{y + 20}">{room.rpartition(".")[2]}/</text>',
        *(
            f'<text x="{x + 12}" y="{y + 37 + 16 * n}">{escape(line)}</text>'
            for n, line in enumerate(lines)
        ),
    ]


def _between(above: Frame, below: Frame) -> str:
    """A thick arrow from the orchestrator to a package that it imports."""
    y = below.y + TITLE // 2
    return f'<path class="between" d="M{above.x + above.width},{y} H{below.x}"/>'

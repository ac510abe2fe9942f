"""The picture of one utterance over time: waveform, log-Mel, pitch, descriptors, segment edges."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from features.dataset.utterance_view import UtteranceView
from orchestrator.printable import clean
from orchestrator.report.figures import canvas
from orchestrator.report.figures.canvas import FAINT, LINE, Figure, Panel

STEP_S = 0.01
"""Seconds from frame to frame."""
MOST_NAMES = 48
"""Most descriptors that are all labelled with their names; of more, every sixteenth is."""
PITCH = ("F0_sma", "F0final_sma", "F0")
"""Names of the pitch column (F0 in Hz) in descriptor sets; the first that a set has is drawn."""
VOICING = ("voiceProb_sma", "voicingFinalUnclipped_sma", "voiceProb")
"""Names of the column with the probability of voicing (0 to 1) in the descriptor sets."""


def draw(seen: UtteranceView, path: Path) -> None:
    """Draw an utterance and write the picture to a file; overwrites the file.

    Args:
        seen: the utterance with its audio and descriptors.
        path: the file; its ending (.png, .svg or .pdf) is the format.

    Raises:
        RequestError: the path has another ending, is a folder, or its folder does not exist.
    """
    canvas.refuse_no_picture(path)
    canvas.write(utterance(seen), path)


@canvas.drawn
def utterance(seen: UtteranceView) -> Figure:
    """Draw an utterance as a matplotlib figure of three or four panels over time in seconds.

    From above: the waveform, the log-Mel in dB, pitch in Hz and voicing if the descriptor set has
    them, and its columns without the deltas as z-scores over this utterance. Dashed lines separate
    the segments (the graphs that a network sees).
    """
    rows = [i for i, name in enumerate(seen.columns) if "_de" not in name]
    pitch = next((seen.columns.index(name) for name in PITCH if name in seen.columns), None)
    named = len(rows) if len(rows) <= MOST_NAMES else 22
    heights = [0.8, 1.6, *([0.8] if pitch is not None else []), 0.13 * named + 0.1]
    figure = canvas.blank(10, sum(heights) + 1.6)
    figure.set_label(seen.name)
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=(1, 0.012))
    panels = [figure.add_subplot(grid[i, 0]) for i in range(len(heights))]
    _waveform(panels[0], seen)
    _logmel(panels[1], figure.add_subplot(grid[1, 1]), seen)
    if pitch is not None:
        _pitch(panels[2], seen, pitch)
    _descriptors(panels[-1], figure.add_subplot(grid[len(heights) - 1, 1]), seen, rows)
    end = max(seen.seconds, len(seen.frames_TF) * STEP_S)
    for panel in panels:
        panel.set_xlim(0, end)
        panel.tick_params(length=2.5, labelbottom=panel is panels[-1])
        colour = "white" if panel is panels[-1] else FAINT  # it is dark there
        for start, _ in seen.segments[1:]:
            panel.axvline(_edge(seen, start), color=colour, lw=0.7, ls=(0, (4, 3)), zorder=3)
    panels[-1].set_xlabel("time (s)")
    _title(panels[0], seen)
    return figure


def _edge(seen: UtteranceView, frame: int) -> float:
    """The time at which a frame is drawn to begin, in seconds: 5 ms before the frame's middle."""
    return seen.first_ms / 1000 + (frame - 0.5) * STEP_S


def _title(top: Panel, seen: UtteranceView) -> None:
    channels = "mono" if seen.channels == 1 else f"{seen.channels} channels"
    facts = [seen.speaker, seen.emotion, f"{seen.seconds:.2f} s", f"{seen.rate:,} Hz, {channels}"]
    line = "  ·  ".join(clean(fact) for fact in (*facts, *seen.doubts) if fact)
    top.set_title(line, loc="left", size=8.5, color=FAINT, pad=15)
    top.annotate(
        clean(seen.name),
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 31),
        textcoords="offset points",
        size=12,
        weight="bold",
    )
    for number, (start, stop) in enumerate(seen.segments, start=1):
        if stop - start < 24 and number > 1:
            continue  # no room for its name
        label = f"graph {number}: {stop - start} nodes"
        left = 0.0 if start == 0 else _edge(seen, start)
        top.annotate(
            label,
            (left, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, 3),
            textcoords="offset points",
            size=7,
            color=FAINT,
            annotation_clip=False,
        )


def _waveform(panel: Panel, seen: UtteranceView) -> None:
    """Draw the samples, 16 kHz mono, over time.

    A long recording is drawn by the lowest and highest sample of each of about 4,000 stretches.
    """
    import numpy as np

    step = max(1, len(seen.signal_S) // 4000)
    whole = seen.signal_S[: len(seen.signal_S) // step * step].reshape(-1, step)
    times = (np.arange(len(whole)) + 0.5) * step / 16_000
    panel.fill_between(times, whole.min(axis=1), whole.max(axis=1), color=LINE, lw=0.4)
    most = max(float(np.abs(seen.signal_S).max()), 1e-3)
    panel.set_ylim(-1.05 * most, 1.05 * most)
    panel.set_ylabel("amplitude")
    panel.locator_params(axis="y", nbins=3)


def _logmel(panel: Panel, scale: Panel, seen: UtteranceView) -> None:
    import numpy as np

    top = max(float(seen.logmel_TM.max()), -20.0)
    half = STEP_S / 2
    frames, bands = seen.logmel_TM.shape
    image = panel.imshow(
        seen.logmel_TM.T,
        origin="lower",
        aspect="auto",
        cmap="bone_r",
        vmin=top - 80,
        vmax=top,
        extent=(-half, frames * STEP_S - half, -0.5, bands - 0.5),
    )
    ticks = np.array([250, 500, 1000, 2000, 4000, 8000])
    positions = np.interp(ticks, seen.centres_M, np.arange(bands))
    panel.set_yticks(positions, ["250", "500", "1k", "2k", "4k", "8k"])
    panel.set_ylabel("log-Mel (Hz)")
    _scale(panel, scale, image, "dB")


def _pitch(panel: Panel, seen: UtteranceView, column: int) -> None:
    """Draw F0 in Hz, and behind it the probability of voicing if the descriptor set has it.

    Args:
        panel: where to draw.
        seen: the utterance.
        column: index of the F0 column in `seen.frames_TF`; 0 Hz means unvoiced and is not drawn.
    """
    import numpy as np

    times = seen.first_ms / 1000 + np.arange(len(seen.frames_TF)) * STEP_S
    name = next((name for name in VOICING if name in seen.columns), None)
    if name is not None:
        beside = panel.twinx()
        voicing_T = seen.frames_TF[:, seen.columns.index(name)]
        beside.fill_between(times, voicing_T, color=FAINT, alpha=0.22, lw=0)
        beside.set_ylim(0, 1.05)
        beside.set_yticks([0, 1])
        beside.set_ylabel("voicing")
        beside.spines["right"].set_visible(True)
        beside.tick_params(length=2.5)
        panel.set_zorder(beside.get_zorder() + 1)
        panel.patch.set_visible(False)
    pitch_T = np.where(seen.frames_TF[:, column] > 0, seen.frames_TF[:, column], np.nan)
    panel.plot(times, pitch_T, color=LINE, lw=1.2, marker="o", ms=1.6, mew=0)
    panel.set_ylim(0, max(100.0, 1.1 * float(np.nanmax([*pitch_T, 0.0]))))
    panel.set_ylabel("F0 (Hz)")
    panel.locator_params(axis="y", nbins=4)


def _descriptors(panel: Panel, scale: Panel, seen: UtteranceView, rows: Sequence[int]) -> None:
    """Draw descriptors over time as z-scores over this utterance; colours span -3 to 3.

    White lines separate families, such as MFCC.

    Args:
        panel: where to draw.
        scale: where to draw the colour scale.
        seen: the utterance.
        rows: indices of the columns in `seen.frames_TF` to draw, from the top down.
    """
    import numpy as np

    values_TR = seen.frames_TF[:, list(rows)].astype(np.float64)
    deviation_R = values_TR.std(axis=0)
    z_TR = (values_TR - values_TR.mean(axis=0)) / np.where(deviation_R > 1e-9, deviation_R, 1.0)
    left = _edge(seen, 0)
    image = panel.imshow(
        z_TR.T,
        aspect="auto",
        cmap="cividis",
        vmin=-3,
        vmax=3,
        extent=(left, left + len(z_TR) * STEP_S, len(rows) - 0.5, -0.5),
    )
    every = 1 if len(rows) <= MOST_NAMES else 16
    names = [_short(seen.columns[i]) for i in rows]
    panel.set_yticks(range(0, len(rows), every), names[::every], size=6.5)
    families = [re.sub(r" \d+$", "", name) for name in names]
    for row in range(1, len(rows)):
        grouped = families[row] in (*families[: row - 1], *families[row + 1 :]) or (
            families[row - 1] in families[: row - 1]
        )
        if families[row] != families[row - 1] and grouped:
            panel.axhline(row - 0.5, color="white", lw=1.2)
    hidden = len(seen.columns) - len(rows)
    deltas = f"; {hidden} deltas are not drawn" if hidden else ""
    panel.set_ylabel(f"{seen.features}, static columns{deltas}" if hidden else seen.features)
    _scale(panel, scale, image, "z")


def _short(column: str) -> str:
    """The name of a descriptor without what openSMILE adds: `mfcc_sma[3]` -> `mfcc 3`."""
    return re.sub(r"\[(\d+)\]", r" \1", column.replace("_sma", "").removeprefix("pcm_"))


def _scale(panel: Panel, scale: Panel, image: Any, unit: str) -> None:
    bar = panel.figure.colorbar(image, cax=scale)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2)
    bar.set_label(unit)
    bar.ax.locator_params(axis="y", nbins=4)

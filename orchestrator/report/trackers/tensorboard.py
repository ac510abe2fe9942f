"""Writes finished trials as event files for TensorBoard, a folder for each trial.

The only door to tensorboardX. Scalars are written as tensors of double precision, as TensorFlow 2
writes them; the older form of an event would round them to 32 bits.
"""

import re
import tempfile
from pathlib import Path
from typing import Any

from orchestrator.errors import LackError
from orchestrator.report.trackers.finished import FinishedTrial
from orchestrator.store.files import create_once
from orchestrator.store.snapshot import Snapshot


class TensorBoardTracker:
    """Writes trials as event files.

    Args:
        folder: the folder for ``tensorboard --logdir``; it is made if it does not exist.

    Raises:
        LackError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import tensorboardX  # noqa: F401
        except ImportError:
            raise LackError(
                "`--log tensorboard` needs the extra `tensorboard`: "
                "`pip install 'ablate-ser[tensorboard]'`."
            ) from None
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.view_command = f"tensorboard --logdir {folder}"

    def write(self, finished: FinishedTrial) -> None:
        """Write the event file of a trial, unless it exists, in ``STUDY/ROW/fold-F-seed-S-ID``, or
        ``fold-F-of-deal-D-...``.
        """
        trial = finished.trial
        home = self._folder / as_file_name(finished.snapshot.study) / as_file_name(trial.row)
        fold = trial.fold_name.replace(" ", "-")
        name = f"{fold}-seed-{trial.seed}-{trial.id[:12]}"
        path = home / name / f"events.out.tfevents.{finished.began:.0f}.ablate"
        if not path.exists():
            create_once(path, _events(finished))

    def write_search(self, snapshot: Snapshot) -> None:
        """Do nothing: `write` writes the trials of a search as well."""

    def flush(self) -> None:
        """Do nothing: `write` writes at once."""


def _events(finished: FinishedTrial) -> bytes:
    """The bytes of a trial's event file: settings, tags, the learning curve and the scores.

    The file is written in a temporary folder first, since TensorBoard also reads a file that is
    written half.
    """
    from tensorboardX import FileWriter
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary
    from tensorboardX.summary import hparams, text

    with tempfile.TemporaryDirectory() as folder:
        writer = FileWriter(folder)
        scores = finished.scores
        summaries = [*hparams(finished.settings, scores)]
        summaries += [text(f"tags/{key}", value) for key, value in finished.tags.items()]
        for summary in summaries:
            writer.add_event(Event(summary=summary), step=0, walltime=finished.began)
        last = (finished.outcome.epochs, finished.outcome.finished, scores)
        for epoch, when, figures in (*finished.curves(), last):
            summary = Summary(value=[_scalar(tag, value) for tag, value in figures.items()])
            writer.add_event(Event(summary=summary), step=epoch, walltime=when)
        writer.close()
        (path,) = Path(folder).iterdir()
        return path.read_bytes()


def _scalar(tag: str, value: float) -> Any:
    """The value of an event: a scalar in double precision under this tag."""
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboardX.proto.tensor_pb2 import TensorProto
    from tensorboardX.proto.types_pb2 import DT_DOUBLE

    plugin = SummaryMetadata.PluginData(plugin_name="scalars")
    return Summary.Value(
        tag=tag,
        metadata=SummaryMetadata(plugin_data=plugin),
        tensor=TensorProto(dtype=DT_DOUBLE, double_val=[value]),
    )


def as_file_name(name: str) -> str:
    """A name, whatever characters it has, as the name of a file: at most 81 safe characters.

    >>> as_file_name("FA in layer 2"), as_file_name("../up"), as_file_name("..")
    ('FA_in_layer_2', '_.._up', '_..')
    """
    safe = re.sub(r"[^\w.+=-]+", "_", name)[:80] or "_"
    return f"_{safe}" if safe.startswith(".") else safe

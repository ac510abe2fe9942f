"""The path of a store, and the name of every file in it.

    store.json                         the store's format
    gc.json                            the lease of an `ablate gc` that removes files now
    corpora/<name>.json                a registered corpus; corpora/demo/ holds synthesised speech
    shards/                            frame features (named by features/shards/)
    selections/<digest>.json           the speech and labels that a trial's id names
    probes/<digest>.json               measured time of an epoch on one kind of machine
    studies/<name>@<digest>.json       the snapshot of a study: its resolved form; never overwritten
    searches/<key>@<n>.json            the test scores of a search were opened, after n proposals
    trials/<id>/outcome.json           written last, once, for finished trials only
    trials/<id>/outcome-late-*.json    a second outcome with other numbers: an alarm
    trials/<id>/failure-<n>.json       one failed attempt
    trials/<id>/claim.json             the lease of the worker that trains the trial now
    trials/<id>/checkpoint*            the state from which another attempt goes on
    trials/<id>/<attempt>/             predictions.parquet weights.safetensors history.json log.txt
                                       (and rerun.json, when the training repeats a finished one)
    logs/<system>/                     finished trials in the format of a tracker

A store is a folder, or `s3://BUCKET/PATH`. The only door to upath, which gives an object store the
interface of pathlib. Imports no large library.
"""

import os
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.errors import DamageError, LackError, RequestError

if TYPE_CHECKING:
    from upath import UPath

Location: TypeAlias = "Path | UPath"
"""A file or folder of a store: a `Path` on this machine, or a `UPath` in an object store (S3)."""

TIMEOUTS = {"connect_timeout": 10, "read_timeout": 60, "retries": {"mode": "standard"}}
"""Options of one request to an object store: seconds to connect, seconds to wait for bytes, and
botocore's standard retries."""

TRIALS = "trials"
"""Name of the folder of the store with one folder a trial."""
SHARDS = "shards"
"""Name of the folder of the store with the frame descriptors of each speaker."""
SELECTIONS = "selections"
"""Name of the folder of the store with the selections (utterances and labels that trials read)."""
STUDIES = "studies"
"""Name of the folder of the store with the snapshots of studies."""
CORPORA = "corpora"
"""Name of the folder of the store with the records of registered corpora."""

OUTCOME = "outcome.json"
"""Name of the record of a finished trial, in the trial's folder."""
LEASE = "claim.json"
"""Name of the lease (who trains the trial now), in the trial's folder."""
CHECKPOINT = "checkpoint.json"
"""Name of the record of the newest checkpoint, in the trial's folder; it names the file with the
tensors."""
PREDICTIONS = "predictions.parquet"
"""In an attempt's folder: class probabilities of each test segment, see ``attempts``."""
WEIGHTS = "weights.safetensors"
"""In an attempt's folder: the weights of the trained network."""
HISTORY = "history.json"
"""In an attempt's folder: a list with the losses and scores of each epoch."""
LOG = "log.txt"
"""In an attempt's folder: the log of the training, one line an epoch or event."""
RERUN = "rerun.json"
"""In an attempt's folder: the outcome of a training that repeats a finished trial
(`ablate rerun`)."""

TRIAL_ID = re.compile(r"[0-9a-f]{64}")
"""Pattern of a trial's id: 64 hex digits."""
FAILURE = re.compile(r"failure-([0-9]+)\.json")
"""Pattern of the record of a failed attempt; its group is the number, from 1."""
ATTEMPT = re.compile(r"attempt-[0-9a-z-]{1,40}")
"""Pattern of the name of an attempt and of its folder, such as ``attempt-0a1b2c3d4e5f``."""
ATTEMPT_FILE = re.compile(r"[a-z][a-z0-9_-]*\.[a-z0-9]+")
"""Pattern of the name of a file in an attempt's folder, such as ``history.json``."""
LATE_OUTCOME = re.compile(r"outcome-late-(.*)\.json")
"""Pattern of an alarm (a second outcome with other numbers); its group is the attempt."""
CHECKPOINT_FILE = re.compile(r"checkpoint(-[0-9]+\.safetensors|\.json)")
"""Pattern of both files of a checkpoint: the record and the tensors."""
SHARD_FILE = re.compile(r"([0-9a-f]{32})(\.[0-9a-f]{12}\.arrow|\.json)")
"""Pattern of the files of a shard; its first group is the shard's key, 32 hex digits."""
SELECTION_FILE = re.compile(r"([0-9a-f]{64})\.json")
"""Pattern of a selection's file; its group is the selection's digest, 64 hex digits."""
TEMPORARY = re.compile(r"\.(.+\.(tmp|taken|[0-9]+\.[0-9a-f]{8})|doctor-[0-9a-f]{12}.*)")
"""Pattern of a file whose writing has not ended, or that `ablate doctor` writes to try the
store."""
NONCE = re.compile(r"\.nonce-[0-9a-f]{12}")
"""Pattern of the marker (a file with a random value) by which a run and its Ray cluster test that
they see the same store."""


def parse_location(where: str) -> Location:
    """Turn the value of ``--store`` into a path; touches neither disk nor network.

    Args:
        where: a folder (``~`` is expanded, the result is absolute) or ``s3://BUCKET/PATH``.

    Raises:
        RequestError: a URI of another form than ``s3://BUCKET/PATH``.
        LackError: the packages of the extra `s3` are not installed.
    """
    if "://" not in where and not re.match(r"[A-Za-z0-9]{2,}:/", where):
        return Path(where).expanduser().absolute()
    scheme, _, rest = where.partition(":/")
    rest = rest.removeprefix("/") if "://" in where else ""
    bucket = rest.partition("/")[0]
    if scheme != "s3" or not bucket or any(mark in rest for mark in "@?#"):
        raise RequestError(
            "`--store` must be a folder or `s3://BUCKET/PATH`, but is "
            f"`{_without_key(where)}` instead. Keys, region and endpoint are read "
            "from the environment (AWS_PROFILE, AWS_ENDPOINT_URL, ...)."
        )
    try:
        import s3fs  # type: ignore[import-untyped]  # noqa: F401  upath finds it by name
        from upath import UPath
    except ImportError:
        raise LackError(
            "A store in an object store needs the extra `s3`: `pip install ablate-ser[s3]`."
        ) from None
    return UPath(where.rstrip("/"), use_listings_cache=False, config_kwargs=TIMEOUTS)


def is_remote(path: Location) -> bool:
    """Whether the path lies in an object store, and not on this machine's disk."""
    return not isinstance(path, Path)


def local_folder(store: Location) -> Path:
    """The folder for files that must lie on this machine's disk.

    Returns:
        The store itself where it is a folder; for an object store, a folder of its own below
        ``~/.cache/ablate`` (or ``$XDG_CACHE_HOME/ablate``).
    """
    if isinstance(store, Path):
        return store
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "ablate" / sha256(str(store).encode()).hexdigest()[:16]


def new_attempt() -> str:
    """A new random name for an attempt, such as ``attempt-0a1b2c3d4e5f``."""
    return "attempt-" + secrets.token_hex(6)


def new_nonce() -> str:
    """A new random file name of the pattern ``NONCE``."""
    return f".nonce-{secrets.token_hex(6)}"


def new_doctor_file() -> str:
    """A new random name for the file that `ablate doctor` writes to try the store."""
    return f".doctor-{secrets.token_hex(6)}"


@dataclass(frozen=True, slots=True)
class StorePaths:
    """The path of every file and folder of one store; computes names and reads nothing."""

    root: Location
    """The store's own folder."""
    trials: Location
    """The folder with one folder a trial; outside of ``root`` only in a rehearsal, which throws its
    trials away."""

    @classmethod
    def below(cls, root: Location) -> "StorePaths":
        """The paths of the store whose own folder is ``root``."""
        return cls(root, root / TRIALS)

    @property
    def marker(self) -> Location:
        """``store.json``: makes a folder a store, and tells the format of its records."""
        return self.root / "store.json"

    @property
    def gc_lease(self) -> Location:
        """``gc.json``: the lease of an `ablate gc` that removes files now."""
        return self.root / "gc.json"

    # --- corpora, features, measurements -----------------------------------------------------

    @property
    def corpora(self) -> Location:
        """The folder with one record for each registered corpus."""
        return self.root / CORPORA

    def corpus_file(self, name: str) -> Location:
        """The record of a registered corpus: its recordings and labels."""
        return self.corpora / f"{name}.json"

    def corpus_audio(self, name: str) -> Path:
        """The folder with the audio of a corpus that this program synthesises (``demo``).

        On a store in an object store it lies in this machine's cache, where it is made anew.
        """
        return local_folder(self.root) / CORPORA / name

    @property
    def shards(self) -> Location:
        """The store's folder of shards (descriptors of one speaker each), for all machines."""
        return self.root / SHARDS

    @property
    def local_shards(self) -> Path:
        """The folder on this machine's disk from which shards are memory-mapped.

        It is ``shards`` where the store is a folder; else a cache, which ``shard_cache.fetch``
        fills.
        """
        return local_folder(self.root) / SHARDS

    def selection_file(self, digest: str) -> Location:
        """The record of a selection: the utterances and labels with this digest, 64 hex digits."""
        return self.root / SELECTIONS / f"{digest}.json"

    @property
    def probes(self) -> Location:
        """The folder with one record for each probe (measured time of an epoch)."""
        return self.root / "probes"

    def probe_file(self, key: str) -> Location:
        """The record of one probe; ``key`` is a digest of machine and shape of the trial."""
        return self.probes / f"{key}.json"

    def log_folder(self, system: str) -> Location:
        """The folder for finished trials in the format of a tracker, such as ``tensorboard``."""
        return self.root / "logs" / system

    # --- studies and searches ----------------------------------------------------------------

    @property
    def studies(self) -> Location:
        """The folder with the snapshots of all studies."""
        return self.root / STUDIES

    def snapshot_file(self, study: str, digest: str) -> Location:
        """The snapshot of a study; its name holds the first 12 digits of the snapshot's digest."""
        return self.studies / f"{study}@{digest[:12]}.json"

    @property
    def searches(self) -> Location:
        """The folder with one record for each search and budget whose test scores were opened."""
        return self.root / "searches"

    def opening_file(self, key: str, configurations: int) -> Location:
        """The record that the test scores of a search were opened.

        Args:
            key: digest of the search without its budget.
            configurations: how many configurations each held-out group had tried by then.
        """
        return self.searches / f"{key}@{configurations}.json"

    # --- one trial -----------------------------------------------------------------------------

    def trial_folder(self, id: str) -> Location:
        """The folder with all files of one trial.

        Raises:
            RequestError: ``id`` is not 64 hex digits.
            DamageError: the folder is a symbolic link.
        """
        if not TRIAL_ID.fullmatch(id):
            raise RequestError(f"A trial's id must be 64 hex digits, but is `{id[:80]}` instead.")
        return _no_link(self.trials / id)

    def attempt_folder(self, id: str, attempt: str) -> Location:
        """The folder with the files that one attempt at a trial wrote.

        Raises:
            RequestError: ``id`` is not 64 hex digits.
            DamageError: ``attempt`` is not the name of an attempt, or a folder is a symbolic link.
        """
        if not ATTEMPT.fullmatch(attempt):
            raise DamageError(f"An attempt must be named `attempt-...`, but is `{attempt[:80]}`.")
        return _no_link(self.trial_folder(id) / attempt)

    def outcome_file(self, id: str) -> Location:
        """The record of a finished trial; it exists only once the trial is finished."""
        return self.trial_folder(id) / OUTCOME

    def late_outcome_file(self, id: str, attempt: str) -> Location:
        """The alarm: the outcome of a later attempt, whose numbers differ from the first one's."""
        return self.trial_folder(id) / f"outcome-late-{attempt}.json"

    def failure_file(self, id: str, n: int) -> Location:
        """The record of the n-th failed attempt at a trial, from 1."""
        return self.trial_folder(id) / f"failure-{n}.json"

    def lease_file(self, id: str) -> Location:
        """The lease of the worker that trains the trial now."""
        return self.trial_folder(id) / LEASE

    def checkpoint_file(self, id: str) -> Location:
        """The record of a trial's newest checkpoint; it names the file with the tensors."""
        return self.trial_folder(id) / CHECKPOINT

    def checkpoint_tensors(self, id: str, epoch: int) -> Location:
        """The file with the tensors of the checkpoint after an epoch (from 1)."""
        return self.trial_folder(id) / f"checkpoint-{epoch}.safetensors"


def _without_key(where: str) -> str:
    scheme, _, rest = where.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if "@" in where else where


def _no_link(folder: Location) -> Location:
    """Return the folder itself, or refuse it where it is a link: that could lead out of the store.

    The store itself and the folders right in it may be links: a person sets those.
    """
    if isinstance(folder, Path) and folder.is_symlink():
        raise DamageError(
            f"`{folder}` must be a folder of the store, but is a link instead: move it away."
        )
    return folder

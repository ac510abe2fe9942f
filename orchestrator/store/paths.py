"""Where a store lies, and the name of every file in it.

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
    trials/<id>/checkpoint*            where a trial in flight goes on
    trials/<id>/<attempt>/             predictions.parquet weights.safetensors history.json log.txt
                                       (and rerun.json, when the training repeats a finished one)
    logs/<system>/                     finished trials in the form of another system

A store is a folder, or `s3://BUCKET/PATH`. The only door to upath (pathlib's manners over an
object store). Light to import.
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
"""A file or folder of a store: on this machine, or in an object store."""

TIMEOUTS = {"connect_timeout": 10, "read_timeout": 60, "retries": {"mode": "standard"}}
"""Of one request to an object store, in seconds; it is repeated a few times."""

TRIALS = "trials"
SHARDS = "shards"
SELECTIONS = "selections"
STUDIES = "studies"
CORPORA = "corpora"

OUTCOME = "outcome.json"
LEASE = "claim.json"
CHECKPOINT = "checkpoint.json"
"""The record of the newest checkpoint; it names the file with the tensors."""
PREDICTIONS = "predictions.parquet"
WEIGHTS = "weights.safetensors"
HISTORY = "history.json"
LOG = "log.txt"
RERUN = "rerun.json"
"""In an attempt's folder: the outcome of a training that repeats a finished one."""

TRIAL_ID = re.compile(r"[0-9a-f]{64}")
FAILURE = re.compile(r"failure-([0-9]+)\.json")
ATTEMPT = re.compile(r"attempt-[0-9a-z-]{1,40}")
ATTEMPT_FILE = re.compile(r"[a-z][a-z0-9_-]*\.[a-z0-9]+")
LATE_OUTCOME = re.compile(r"outcome-late-(.*)\.json")
CHECKPOINT_FILE = re.compile(r"checkpoint(-[0-9]+\.safetensors|\.json)")
SHARD_FILE = re.compile(r"([0-9a-f]{32})(\.[0-9a-f]{12}\.arrow|\.json)")
SELECTION_FILE = re.compile(r"([0-9a-f]{64})\.json")
TEMPORARY = re.compile(r"\.(.+\.(tmp|taken|[0-9]+\.[0-9a-f]{8})|doctor-[0-9a-f]{12}.*)")
"""A file whose writing has not ended, or that `ablate doctor` writes to try the store."""
NONCE = re.compile(r"\.nonce-[0-9a-f]{12}")
"""A file by which a run and its cluster find out that they see the same store."""


def parse_location(where: str) -> Location:
    """The folder or object store that a person named.

    Raises:
        RequestError: a URI that is none of an object store we know.
        LackError: a package that an object store needs is not installed.
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
    """Whether it lies in an object store."""
    return not isinstance(path, Path)


def local_folder(store: Location) -> Path:
    """The folder for files that must lie on this machine: the store itself, or a cache of it."""
    if isinstance(store, Path):
        return store
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "ablate" / sha256(str(store).encode()).hexdigest()[:16]


def new_attempt() -> str:
    """A name for an attempt that no other attempt has."""
    return "attempt-" + secrets.token_hex(6)


def new_nonce() -> str:
    """A name, as ``NONCE`` describes it, that no other run has."""
    return f".nonce-{secrets.token_hex(6)}"


def new_doctor_file() -> str:
    """A name for a file by which `ablate doctor` tries the store."""
    return f".doctor-{secrets.token_hex(6)}"


@dataclass(frozen=True, slots=True)
class StorePaths:
    """Every file and folder of one store."""

    root: Location
    trials: Location
    """The folder with one folder a trial; elsewhere than below ``root`` in a rehearsal."""

    @classmethod
    def below(cls, root: Location) -> "StorePaths":
        """The paths of the store at ``root``."""
        return cls(root, root / TRIALS)

    @property
    def marker(self) -> Location:
        """The file that makes a folder a store and tells its format."""
        return self.root / "store.json"

    @property
    def gc_lease(self) -> Location:
        """The lease of an `ablate gc` that removes files now."""
        return self.root / "gc.json"

    # --- corpora, features, measurements -----------------------------------------------------

    @property
    def corpora(self) -> Location:
        """The folder with one record a registered corpus."""
        return self.root / CORPORA

    def corpus_file(self, name: str) -> Location:
        """The record of a registered corpus."""
        return self.corpora / f"{name}.json"

    def corpus_audio(self, name: str) -> Path:
        """The audio of a corpus that this program synthesises, made anew on each machine."""
        return local_folder(self.root) / CORPORA / name

    @property
    def shards(self) -> Location:
        """The shards that all machines share."""
        return self.root / SHARDS

    @property
    def local_shards(self) -> Path:
        """The shards as this machine maps them: those of the store, or copies in a cache."""
        return local_folder(self.root) / SHARDS

    def selection_file(self, digest: str) -> Location:
        """The speech and labels that a digest stands for."""
        return self.root / SELECTIONS / f"{digest}.json"

    @property
    def probes(self) -> Location:
        """The folder with one record a measurement."""
        return self.root / "probes"

    def probe_file(self, key: str) -> Location:
        """The record of one measurement."""
        return self.probes / f"{key}.json"

    def log_folder(self, system: str) -> Location:
        """Finished trials in the form of another system."""
        return self.root / "logs" / system

    # --- studies and searches ----------------------------------------------------------------

    @property
    def studies(self) -> Location:
        """The folder with all snapshots."""
        return self.root / STUDIES

    def snapshot_file(self, study: str, digest: str) -> Location:
        """The snapshot of a study in one of its forms."""
        return self.studies / f"{study}@{digest[:12]}.json"

    @property
    def searches(self) -> Location:
        """The folder that tells which test scores of searches were opened."""
        return self.root / "searches"

    def opening_file(self, key: str, configurations: int) -> Location:
        """The record that the test scores of a search were opened."""
        return self.searches / f"{key}@{configurations}.json"

    # --- one trial -----------------------------------------------------------------------------

    def trial_folder(self, id: str) -> Location:
        """All files of one trial.

        Raises:
            RequestError: it is no id of a trial.
            DamageError: it is a link.
        """
        if not TRIAL_ID.fullmatch(id):
            raise RequestError(f"A trial's id must be 64 hex digits, but is `{id[:80]}` instead.")
        return _no_link(self.trials / id)

    def attempt_folder(self, id: str, attempt: str) -> Location:
        """The files that one attempt wrote.

        Raises:
            DamageError: it is no name of an attempt, or a link.
        """
        if not ATTEMPT.fullmatch(attempt):
            raise DamageError(f"An attempt must be named `attempt-...`, but is `{attempt[:80]}`.")
        return _no_link(self.trial_folder(id) / attempt)

    def outcome_file(self, id: str) -> Location:
        """The record of a finished trial."""
        return self.trial_folder(id) / OUTCOME

    def late_outcome_file(self, id: str, attempt: str) -> Location:
        """A second record with other numbers than the first."""
        return self.trial_folder(id) / f"outcome-late-{attempt}.json"

    def failure_file(self, id: str, n: int) -> Location:
        """The record of the n-th failed attempt, from 1."""
        return self.trial_folder(id) / f"failure-{n}.json"

    def lease_file(self, id: str) -> Location:
        """The lease of the worker that trains the trial now."""
        return self.trial_folder(id) / LEASE

    def checkpoint_file(self, id: str) -> Location:
        """The record of the newest checkpoint."""
        return self.trial_folder(id) / CHECKPOINT

    def checkpoint_tensors(self, id: str, epoch: int) -> Location:
        """The tensors of the checkpoint after an epoch."""
        return self.trial_folder(id) / f"checkpoint-{epoch}.safetensors"


def _without_key(where: str) -> str:
    scheme, _, rest = where.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if "@" in where else where


def _no_link(folder: Location) -> Location:
    """The folder, unless it is a link: in a store that was made elsewhere it could lead anywhere.

    The store itself and the folders right in it may be links: a person sets those.
    """
    if isinstance(folder, Path) and folder.is_symlink():
        raise DamageError(
            f"`{folder}` must be a folder of the store, but is a link instead: move it away."
        )
    return folder

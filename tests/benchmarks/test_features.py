"""Extraction, checking, opening and memory, as ratios measured in one run.

    make bench

ABLATE_BENCH_FILES: how many files are extracted (default 320, twice the demo corpus).
Ratios are of the quickest of several rounds, taken in turns, so that a busy moment hits all.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from features.config import DEFAULT_EMOTIONS, FeatureConfig
from features.corpora import catalogue, recordings
from features.corpora.corpus import Corpus, Selection, Utterance
from features.shards import shards
from features.shards.shard_file import open_shard, write_shard

pytestmark = pytest.mark.bench

CONFIG = FeatureConfig()
FILES = int(os.environ.get("ABLATE_BENCH_FILES", "320"))
ROUNDS = 5
ROOT = Path(shards.__file__).resolve().parents[2]


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    found = catalogue.read("demo", tmp_path_factory.mktemp("bench-demo"))
    catalogue.prepare(found)
    return found


def copies(demo: Corpus, count: int) -> Selection:
    """A corpus of `count` utterances: the demo's files again and again, by other speakers."""
    items: list[Utterance] = []
    while len(items) < count:
        turn = len(items) // len(demo.utterances)
        items += [
            replace(
                u, id=f"{u.id}-{turn}", digest=f"{u.digest}-{turn}", speaker=f"{u.speaker}-{turn}"
            )
            for u in demo.utterances
        ]
    chosen = tuple(sorted(items[:count], key=lambda u: u.id))
    return replace(demo, utterances=chosen).select(DEFAULT_EMOTIONS)


def cores() -> float:
    """How many of two cores the machine gives right now: hashing in two threads against one."""
    blob = bytes(150_000_000)
    one = seconds(lambda: hashlib.sha256(blob))
    with ThreadPoolExecutor(2) as pool:
        two = seconds(lambda: list(pool.map(hashlib.sha256, [blob, blob])))
    return 2 * one / two


def test_extraction_two_cores_one_core_and_openSMILE(demo: Corpus, tmp_path: Path) -> None:
    """Hashing, extraction and writing of lld78; of theirs, extraction alone (52 columns)."""
    import opensmile

    selection = copies(demo, FILES)
    root = Path(demo.root)
    paths = [str(root / u.path) for u, _ in selection.items]
    speech = sum(soundfile.info(path).duration for path in paths)
    smile = opensmile.Smile(
        opensmile.FeatureSet.emobase,
        opensmile.FeatureLevel.LowLevelDescriptors_Deltas,
        sampling_rate=16_000,
        resample=True,
        num_workers=2,
    )
    work: dict[str, Callable[[Path], object]] = {
        "one": lambda folder: shards.build(folder, selection, CONFIG, threads=1),
        "two": lambda folder: shards.build(folder, selection, CONFIG, threads=2),
        "theirs": lambda folder: smile.process_files(paths),
    }
    taken: dict[str, list[float]] = {name: [] for name in work}
    given = []
    for round in range(ROUNDS):
        for name, does in work.items():
            taken[name].append(seconds(lambda: does(tmp_path / f"{name}-{round}")))  # noqa: B023
        given.append(cores())
    one, two, theirs = (min(taken[name]) for name in work)
    print(
        f"\n{len(paths)} files, {speech:.0f} s of speech, lld78, best of {ROUNDS} rounds:\n"
        f"  one core           {one:6.2f} s, {speech / one:5.0f} x real time\n"
        f"  two cores          {two:6.2f} s, {one / two:.2f} x one core (target 1.8), "
        f"{speech / two:.0f} x real time\n"
        f"  openSMILE's own    {theirs:6.2f} s with num_workers=2, 52 columns of the 78: "
        f"ours is {theirs / two:.2f} x as fast (target 1)\n"
        f"  of two cores the machine gave {min(given):.2f} to {max(given):.2f}"
    )
    assert theirs >= two
    if one / two < 1.8 and max(given) < 1.95:
        pytest.skip(f"the machine is busy: of two cores it gave {max(given):.2f} at most")
    assert one / two >= 1.8


BUILD = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
from features.config import DEFAULT_EMOTIONS, FeatureConfig
from features.corpora.corpus import Corpus
from features.descriptors.catalogue import SETS
from features.shards.shards import build
corpus = Corpus.from_json(json.load(open(sys.argv[1])))
SETS["lld78"].extract(np.zeros(16_000, np.float32))  # the engine has started
began = time.perf_counter()
build(Path(sys.argv[2]) / "all", corpus.select(DEFAULT_EMOTIONS), FeatureConfig(), threads=2)
taken = time.perf_counter() - began
peak = sum(resource.getrusage(who).ru_maxrss
           for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(taken, peak / 1024)
"""


def test_ten_times_the_corpus_takes_ten_times_the_time_and_no_more_memory(
    demo: Corpus, tmp_path: Path
) -> None:
    """As many utterances a speaker, ten times the speakers; each build in a fresh process."""
    found: dict[int, list[tuple[float, float]]] = {360: [], 3_600: []}
    for round in range(2):
        for count, results in found.items():
            record = tmp_path / f"{count}.json"
            record.write_text(json.dumps(copies(demo, count).corpus.to_json()))
            words = [sys.executable, "-c", BUILD, str(record), str(tmp_path / f"{count}-{round}")]
            taken, peak = subprocess.check_output(words, cwd=ROOT, text=True).split()
            results.append((float(taken), float(peak)))
    (short, low), (long, high) = (map(min, zip(*found[n], strict=True)) for n in (360, 3_600))
    print(
        f"\nBuilding lld78 on two cores: 360 files {short:.1f} s, {low:.0f} MiB at most; "
        f"3,600 files {long:.1f} s, {high:.0f} MiB;\n"
        f"  {long / short:.1f} x the time (target 8 to 12), "
        f"{100 * (high / low - 1):+.0f} % memory (target 15)"
    )
    assert high <= 1.15 * low
    assert 8 <= long / short <= 12


def test_checking_1440_cached_files(tmp_path: Path) -> None:
    blob = np.zeros(4_000, np.int16).tobytes()
    items = []
    for number in range(1_440):
        path = tmp_path / f"{number:04}.wav"
        path.write_bytes(blob)
        read = recordings.identify(str(tmp_path), path.name)
        items.append(
            Utterance(
                id=path.stem,
                path=path.name,
                speaker=f"s{number % 24:02}",
                sex="",
                session="",
                emotion="sad" if number % 2 else "angry",
                **read,
            )
        )
    found = Corpus(name="made", root=str(tmp_path), utterances=tuple(items), left_out=())
    taken = seconds(lambda: recordings.refresh(found))
    print(f"\nChecking 1,440 cached files: {taken * 1000:.0f} ms (target 1,000)")
    assert taken < 1


OPENING = """
import json, sys, time
from pathlib import Path
import numpy as np, pyarrow.ipc
from features.shards.shard_file import open_shard
folder, keys, single = json.loads(sys.argv[1])
began = time.perf_counter()
kept = {LINE}
print(time.perf_counter() - began)
"""


def test_opening_a_training_set_from_shards_and_from_files(tmp_path: Path) -> None:
    """As large as RAVDESS: 22 speakers, 60 utterances of 3.7 s each. One process a reading.

    The first process that opens a shard on a machine reads its bytes to prove them; every trial
    after it maps them.
    """
    folder, single = tmp_path / "shards", tmp_path / "single"
    folder.mkdir()
    single.mkdir()
    random = np.random.default_rng(0)
    keys = [f"{n:032}" for n in range(22)]
    names = [f"f{n}" for n in range(78)]
    for key in keys:
        values = [random.standard_normal((370, 78), np.float32) for _ in range(60)]
        audio = {f"{key}-{n}": "x" * 64 for n in range(60)}
        write_shard(folder, key, ["lld78", 10, "x"], names, audio, values)
        for id, nodes in zip(audio, values, strict=True):
            np.save(single / f"{id}.npy", nodes)
    words = json.dumps([str(folder), keys, str(single)])

    def opened(line: str) -> float:
        code = OPENING.replace("{LINE}", line)
        return float(subprocess.check_output([sys.executable, "-c", code, words], cwd=ROOT))

    of_shards = "[open_shard(Path(folder), key) for key in keys]"
    of_files = "[np.load(path) for path in sorted(Path(single).glob('*.npy'))]"
    first = opened(of_shards)
    shards_s, files_s = zip(*((opened(of_shards), opened(of_files)) for _ in range(5)), strict=True)
    ratio = min(files_s) / min(shards_s)
    print(
        f"\nA training set of 22 speakers, {22 * 60:,} utterances, 152 MB, in ms:\n"
        f"  shards, first on this machine {first * 1000:7.1f}\n"
        f"  shards, every time after it   {min(shards_s) * 1000:7.1f}\n"
        f"  one .npy an utterance         {min(files_s) * 1000:7.1f}, {ratio:.0f} x (target 10)"
    )
    assert ratio >= 10


WORKER = """
import sys, json
from pathlib import Path
import numpy as np, pyarrow.ipc
from features.shards.shard_file import open_shard
folder, keys, load = json.loads(sys.argv[1])
kept = [open_shard(Path(folder), key) for key in (keys if load else ["small"])]
total = sum(float(v.sum()) for shard in kept for v in shard.utterances.values())
print("ready", flush=True); sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="no PSS on this system")
def test_private_memory_of_one_and_four_workers(demo: Corpus, tmp_path: Path) -> None:
    selection = copies(demo, 1_600)
    folder = tmp_path / "shards"
    shards.build(folder, copies(demo, 160), CONFIG)
    built = open_shard(folder, next(iter(shards.keys(copies(demo, 160), CONFIG).values())))
    values = [v for v in built.utterances.values()] * (len(selection.items) // 160)
    keys = [f"{n:032}" for n in range(10)]
    for key in keys:
        audio = {f"{key}-{i}": "x" for i in range(len(values))}
        write_shard(folder, key, ["lld78", 10, "x"], built.names, audio, values)
    # Those who hold no data open one row: what Arrow itself takes is no data.
    write_shard(folder, "small", ["lld78", 10, "x"], built.names, {"x": "x"}, values[:1])
    size = sum(p.stat().st_size for key in keys for p in folder.glob(f"{key}.*.arrow")) / 2**20

    def private(workers: int, load: bool) -> float:
        words = json.dumps([str(folder), keys, load])
        line = [sys.executable, "-c", WORKER, words]
        running = [
            subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(workers)
        ]
        for process in running:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        found = [Path(f"/proc/{p.pid}/smaps_rollup").read_text() for p in running]
        for process in running:
            process.communicate()
        pss = [
            int(line.split()[1])
            for text in found
            for line in text.splitlines()
            if line.startswith("Pss:")
        ]
        return sum(pss) / 1024

    extra = {n: private(n, True) - private(n, False) for n in (1, 4)}
    more = (extra[4] - extra[1]) / 3
    print(
        f"\nData of {size:.0f} MiB mapped by workers of one node, PSS that it adds:\n"
        f"  1 worker {extra[1]:6.1f} MiB, 4 workers {extra[4]:6.1f} MiB in all;\n"
        f"  each further worker {more:.1f} MiB, {100 * more / size:.0f} % of the data (target 10)"
    )
    assert more < 0.1 * size

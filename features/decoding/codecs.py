"""Names what a file holds that cannot be decoded, such as AAC in MP4, and what converts it."""

import re
import string
from pathlib import Path

from features.decoding.containers.container import Container

HEAD = 4096
"""Bytes at a file's beginning that are looked at."""
MAGIC = {
    b"\x1aE\xdf\xa3": "WebM or Matroska",
    b"#!AMR-WB": "AMR-WB",
    b"#!AMR": "AMR",
    bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"): "WMA",
    b"#!SILK": "SILK",
    b"\x02#!SILK": "SILK",
    b"ADIF": "AAC",
    b"FLV": "Flash video",
    b".RMF": "RealMedia",
    b".ra\xfd": "RealAudio",
    b"MAC ": "Monkey's Audio",
    b"wvpk": "WavPack",
    b"TTA1": "True Audio",
    b"MPCK": "Musepack",
    b"MP+": "Musepack",
    b"DSD ": "DSD",
    b"FRM8": "DSD",
    b"\x0bw": "AC-3",
    b"\x7f\xfe\x80\x01": "DTS",
    b"ajkg": "Shorten",
    b"MThd": "MIDI",
    b"\x00\x00\x01\xba": "MPEG video",
    b"GIF8": "a GIF picture",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
}
"""First bytes of a file -> what it is."""
NOT_AUDIO = ("a ", "MIDI")
"""How the names of `MAGIC` begin that hold no sound to convert."""
IN_MP4 = {
    b"mp4a": "AAC",
    b"alac": "Apple Lossless",
    b"samr": "AMR",
    b"sawb": "AMR-WB",
    b"ac-3": "AC-3",
    b"ec-3": "E-AC-3",
    b"Opus": "Opus",
    b"fLaC": "FLAC",
    b".mp3": "MP3",
    b"ulaw": "mu-law",
    b"sowt": "PCM",
    b"twos": "PCM",
    b"lpcm": "PCM",
}
"""Code of a sound track in MP4 -> the codec's name."""
IN_OGG = {b"Speex   ": "Speex in OGG", b"\x80theora": "video in OGG"}
"""What stands in the first page of an OGG file -> what it holds."""
HEADER = re.compile(
    rb"RI(?:FF|FX)....WAVE|RF64....WAVE|FORM....AIF[FC]|caff\x00\x01|\.snd\x00|fLaC\x00\x00"
    rb"|OggS\x00\x02|NIST_1A\n",
    re.DOTALL,
)
"""How the header of an audio file begins that text may stand in front of."""
BEGINNINGS = (
    b"RIFF",
    b"RIFX",
    b"RF64",
    b"riff",
    b"FORM",
    b"caff",
    b".snd",
    b"fLaC",
    b"OggS",
    b"NIST",
)
"""First bytes of audio files that are printable, too: what begins like this is no text."""
ENDINGS = frozenset(
    {".aac", ".ac3", ".amr", ".ape", ".awb", ".dff", ".dsf", ".dts", ".m4a", ".m4b", ".mka"}
    | {".mpc", ".ra", ".rm", ".silk", ".slk", ".spx", ".tta", ".wma", ".wv"}
    | {".3g2", ".3gp", ".asf", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"}
    | {".webm", ".wmv"}
)
"""Endings of names of recordings, in small letters, that nothing here decodes."""


def undecodable(path: Path, container: Container | None) -> str:
    """Say why libsndfile does not decode a file, as far as its first bytes tell.

    Args:
        path: the file.
        container: what its header says.

    Returns:
        What it holds, with the command that converts it; empty where nothing is known.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD)
    name = _codec(path, head, container)
    if name.startswith(NOT_AUDIO):
        return f"{name}, not audio"
    if name:
        return f"{name}, which cannot be decoded here: {conversion(path)} converts it"
    if not head.strip(b"\0"):
        return "zeros where its header should be"
    if head.startswith(BEGINNINGS):
        return ""
    if text := text_in_front(head):
        return f"text in front of its header: cut its first {text} bytes off"
    return "text, not audio" if is_text(head) else ""


def conversion(path: Path) -> str:
    """Write the command that converts such a file, in backquotes."""
    ending = path.suffix.lower()
    made = "NEW" if ending == ".wav" else "NAME"
    return f"`ffmpeg -i NAME{ending} {made}.wav`"


def _codec(path: Path, head: bytes, container: Container | None) -> str:
    """Name what a file holds by its first bytes; empty where they are not known."""
    if container is not None:
        return f"{container.codec} in {container.format}" if container.codec else ""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return _mp4(path, head)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI video"
    if head[:4] == b"OggS":
        return next((name for mark, name in IN_OGG.items() if mark in head), "")
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC"
    for magic, name in MAGIC.items():
        if head.startswith(magic):
            return name
    return ""


def _mp4(path: Path, head: bytes) -> str:
    """Name the codec of a file of MP4's family, such as ``AAC in MP4``."""
    brand = head[8:12] if head[4:8] == b"ftyp" else b"qt  "
    family = "3GP" if brand[:2] == b"3g" else "QuickTime" if brand == b"qt  " else "MP4"
    for code in _tracks(path):
        if code in IN_MP4:
            return f"{IN_MP4[code]} in {family}"
    return f"AAC in {family}" if brand[:3] in (b"M4A", b"M4B") else family


def _tracks(path: Path) -> list[bytes]:
    """List the codes of the tracks of an MP4 file, as its descriptions of samples name them."""
    import mmap

    found, at = list[bytes](), 0
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        while (at := view.find(b"stsd", at)) >= 0 and len(found) < 64:
            found.append(view[at + 16 : at + 20])
            at += 4
    return found


def is_text(head: bytes) -> bool:
    """Whether a file begins like a text: letters, blanks and ends of lines in UTF-8 or ASCII."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # but for a letter that the end cuts
            return False
        text = head[: error.start].decode("utf-8")
    printable = set(string.printable)
    return bool(text) and all(letter in printable or letter > "\x9f" for letter in text)


def text_in_front(head: bytes) -> int:
    """Count the bytes of text in front of the header of an audio file; 0 where there is none."""
    found = HEADER.search(head)
    return found.start() if found and is_text(head[: found.start()]) else 0


def begins_with_text(path: Path) -> bool:
    """Whether a file begins like a text, as `is_text`.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        return is_text(file.read(HEAD))


def text_at_the_start(path: Path) -> int:
    """Count the bytes of text in front of the header of an audio file, as `text_in_front`.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        return text_in_front(file.read(HEAD))

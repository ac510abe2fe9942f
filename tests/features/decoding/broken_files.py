"""Recordings of every container that libsndfile knows, broken at random but always the same way."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

CODECS = {
    "wav": {},
    "float.wav": {"subtype": "FLOAT"},
    "gsm.wav": {"subtype": "GSM610"},
    "ima.wav": {"subtype": "IMA_ADPCM"},
    "ms.wav": {"subtype": "MS_ADPCM"},
    "g721.wav": {"subtype": "G721_32"},
    "wavex.wav": {"format": "WAVEX", "subtype": "PCM_24"},
    "rf64.wav": {"format": "RF64", "subtype": "PCM_16"},
    "w64": {"format": "W64", "subtype": "PCM_16"},
    "aiff": {"format": "AIFF", "subtype": "PCM_16"},
    "dwvw.aiff": {"format": "AIFF", "subtype": "DWVW_16"},
    "caf": {"format": "CAF", "subtype": "PCM_16"},
    "alac.caf": {"format": "CAF", "subtype": "ALAC_16"},
    "au": {"format": "AU", "subtype": "PCM_16"},
    "g723.au": {"format": "AU", "subtype": "G723_24"},
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
    "ogg": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III"},
    "avr": {"format": "AVR", "subtype": "PCM_16"},
    "htk": {"format": "HTK", "subtype": "PCM_16"},
    "iff": {"format": "SVX", "subtype": "PCM_16"},
    "mat4": {"format": "MAT4", "subtype": "PCM_16"},
    "mat5": {"format": "MAT5", "subtype": "PCM_16"},
    "mpc": {"format": "MPC2K", "subtype": "PCM_16"},
    "paf": {"format": "PAF", "subtype": "PCM_24"},
    "pvf": {"format": "PVF", "subtype": "PCM_16"},
    "sds": {"format": "SDS", "subtype": "PCM_16"},
    "sf": {"format": "IRCAM", "subtype": "PCM_16"},
    "voc": {"format": "VOC", "subtype": "PCM_16"},
    "sph": {"format": "NIST", "subtype": "PCM_16"},
    "wve": {"format": "WVE", "subtype": "ALAW"},
    "xi": {"format": "XI", "subtype": "DPCM_16"},
}
"""Ending of a file's name -> how soundfile writes such a file."""
RATE = 8_000
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def write_whole(folder: Path) -> list[Path]:
    """Write a second of tones and noise in every codec."""
    noise = np.random.default_rng(5).standard_normal(RATE) * 0.05
    sound = (0.4 * np.sin(np.arange(RATE) / 9) + noise).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    for ending, codec in CODECS.items():
        soundfile.write(folder / f"whole.{ending}", sound, RATE, **codec)
    return sorted(folder.iterdir())


def broken(whole: list[Path], folder: Path, count: int, seed: int) -> Iterator[Path]:
    """Write ``count`` broken copies, one after the other, each over the one before of its kind."""
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        source = whole[number % len(whole)]
        path = folder / source.name.replace("whole", "broken")
        path.write_bytes(mutated(source.read_bytes(), chance))
        yield path


def mutated(whole: bytes, chance: random.Random) -> bytes:
    """Return the bytes of a file after one to four accidents, most of them in its header."""
    data = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(min(len(data), chance.choice((64, 256, len(data)))) or 1)
        match chance.randrange(7):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                form = chance.choice(("<I", ">I", "<H", ">H"))
                number = chance.choice(NUMBERS) & (0xFFFF if form[1] == "H" else 0xFFFFFFFF)
                data[at : at + struct.calcsize(form)] = struct.pack(form, number)
            case 2:
                del data[at:]
            case 3:
                del data[at : at + chance.randint(1, 64)]
            case 4:
                data[at:at] = chance.randbytes(chance.randint(1, 64))
            case 5:
                data[at : at + 2000] = bytes(len(data[at : at + 2000]))
            case 6:
                data[at : at + 8] = chance.randbytes(8)
        if not data:
            break
    return bytes(data)

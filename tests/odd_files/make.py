#!/usr/bin/env python3
"""Makes odd audio files and counts their frames here, in ffmpeg and in libsndfile.

    cargo build -p bunri-stream --example frames
    python3 tests/odd_files/make.py FOLDER target/debug/examples/frames > table.tsv

Needs ffmpeg (5.1), oggenc (1.4.2) and the Python package `soundfile` (0.13, libsndfile 1.2.2). Every
container comes whole and with each oddity, wav with thirty headers more. `explain.py` turns the table into
README.md, and fails where a difference has no explanation.
"""

import random
import struct
import subprocess
import sys
from pathlib import Path

RATE, FRAMES = 44100, 88200

# How ffmpeg is asked for each: two seconds of two tones and faint noise, stereo.
CONTAINERS = {
    "wav": "-c:a pcm_s16le",
    "aiff": "-c:a pcm_s16be",
    "rf64.wav": "-c:a pcm_s16le -rf64 always",
    "w64": "-c:a pcm_s16le",
    "caf": "-c:a pcm_s16be",
    "flac": "-c:a flac",
    "mp3": "-c:a libmp3lame -b:a 128k",
    "vbr.mp3": "-c:a libmp3lame -q:a 4",
    "bare.mp3": "-c:a libmp3lame -q:a 4 -write_xing 0 -id3v2_version 0",
    "ogg": None,
    "flac.oga": "-c:a flac -f ogg",
    "opus": "-c:a libopus",
    "m4a": "-c:a aac -movflags +faststart",
    "alac.m4a": "-c:a alac -movflags +faststart",
    "aac": "-c:a aac -f adts",
    "vorbis.mkv": "-c:a libvorbis",
    "wv": "-c:a wavpack",
}


def ffmpeg(*arguments):
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *map(str, arguments)]
    subprocess.run(command, check=True)


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 0x55 for byte in data[middle : middle + 200]) + data[middle + 200 :]


def noise(count):
    return random.Random(7).randbytes(count)


ID3V1 = b"TAG" + b"odd".ljust(125, b"\0")
ID3V2 = b"ID3\x03\0\0\0\0\x01\0" + bytes(128)
APE = bytes(64) + b"APETAGEX" + struct.pack("<IIII", 2000, 96, 1, 0) + bytes(8)

ODDITIES = {
    "whole": lambda data: data,
    "half": lambda data: data[: len(data) // 2],
    "short": lambda data: data[: len(data) - max(7, len(data) // 1000)],
    "twice": lambda data: data + data,
    "id3v1": lambda data: data + ID3V1,
    "ape": lambda data: data + APE,
    "id3v2": lambda data: ID3V2 + data,
    "noise": lambda data: data + noise(3000),
    "zeros": lambda data: data + bytes(4096),
    "flipped": flipped,
    "filled": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
}


def chunk(name, body, size=None):
    return name + struct.pack("<I", len(body) if size is None else size) + body


def fmt(tag=1, bits=16, align=4, extra=b""):
    return struct.pack("<HHIIHH", tag, 2, RATE, RATE * align, align, bits) + extra


def extensible(valid, bits=16, align=4, tag=1):
    extra = struct.pack("<HHIH", 22, valid, 3, tag) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    return fmt(0xFFFE, bits, align, extra)


def headers(sound):
    """Odd WAV headers around integers of 16 bits: whole files, all of them."""
    size = len(sound)
    data = chunk(b"data", sound)

    def riff(*chunks, size=None):
        body = b"WAVE" + b"".join(chunks)
        return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body

    plain = chunk(b"fmt ", fmt())
    sized = lambda told: riff(plain, chunk(b"data", sound, told))
    header = lambda body, *more: riff(chunk(b"fmt ", body), *more, data)
    floats = b"".join(struct.pack("<f", value / 32768) for (value,) in struct.iter_unpack("<h", sound))
    big = b"".join(struct.pack(">h", value) for (value,) in struct.iter_unpack("<h", sound))
    rifx_fmt = struct.pack(">HHIIHH", 1, 2, RATE, RATE * 4, 4, 16)
    rifx = b"WAVEfmt " + struct.pack(">I", 16) + rifx_fmt + b"data" + struct.pack(">I", size) + big
    return {
        "riff-0": riff(plain, data, size=0),
        "riff-short": riff(plain, data, size=size + 28),
        "riff-long": riff(plain, data, size=size + 1036),
        "riff-stream": riff(plain, data, size=2**32 - 1),
        "data-2-long": sized(size + 2),
        "data-with-header": sized(size + 44),
        "data-0": sized(0),
        "all-0": riff(plain, chunk(b"data", sound, 0), size=0),
        "data-max": sized(2**32 - 1),
        "data-2g": sized(2**31 - 1),
        "data-sox": sized(2**31 - 1 - 36),
        "data-stopped": sized(2**32 - 1 - 44),
        "data-half": sized(size // 2),
        "fmt-18": header(fmt(extra=b"\0\0")),
        "fmt-20": header(fmt(extra=b"\x02\0\0\0")),
        "fmt-28": header(fmt(extra=bytes(12))),
        "fmt-40-pcm": header(fmt(extra=bytes(24))),
        "float-cb2": riff(chunk(b"fmt ", fmt(3, 32, 8, b"\x02\0\0\0")), chunk(b"data", floats)),
        "ext-0-bits": header(extensible(0)),
        "ext-12-bits": header(extensible(12)),
        "12-in-16": header(fmt(1, 12, 4)),
        "align-0": header(fmt(1, 16, 0)),
        "fact-12": header(fmt(), chunk(b"fact", bytes(12))),
        "junk": riff(chunk(b"JUNK", bytes(28)), plain, data),
        "bext": riff(chunk(b"bext", bytes(602)), plain, data),
        "odd-unpadded": riff(plain, chunk(b"note", b"odd"), data),
        "odd-padded": riff(plain, chunk(b"note", b"odd") + b"\0", data),
        "list-behind": riff(plain, data, chunk(b"LIST", b"INFO")),
        "fmt-behind": riff(data, plain),
        "rifx": b"RIFX" + struct.pack(">I", len(rifx)) + rifx,
    }


def xing(data, change):
    at = max(data.find(b"Info"), data.find(b"Xing")) + 8
    return data[:at] + struct.pack(">I", change(struct.unpack(">I", data[at : at + 4])[0])) + data[at + 4 :]


def flac_count(data, count):
    return data[:21] + bytes([data[21] & 0xF0 | count >> 32]) + struct.pack(">I", count % 2**32) + data[26:]


def make(folder):
    wav = folder / "source.wav"
    tones = "0.2*sin(2*PI*220*t)+0.02*(random(0)-0.5)|0.2*sin(2*PI*331*t)"
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc={tones}:s={RATE}:d=2", "-c:a", "pcm_s16le", "-bitexact", wav)
    whole = {}
    for name, how in CONTAINERS.items():
        path = folder / f"whole.{name}"
        if how is None:
            subprocess.run(["oggenc", "-Q", "-q", "4", "--serial", "7", "-o", path, wav], check=True)
        else:
            ffmpeg("-i", wav, *how.split(), path)
        whole[name] = path.read_bytes()
        for oddity, change in ODDITIES.items():
            (folder / f"{oddity}.{name}").write_bytes(change(whole[name]))
    sound = wav.read_bytes()[-FRAMES * 4 :]
    for name, data in headers(sound).items():
        (folder / f"header-{name}.wav").write_bytes(data)
    for name in ["mp3", "vbr.mp3"]:
        (folder / f"count-0.{name}").write_bytes(xing(whole[name], lambda count: 0))
        (folder / f"count-double.{name}").write_bytes(xing(whole[name], lambda count: 2 * count))
        (folder / f"count-third.{name}").write_bytes(xing(whole[name], lambda count: count // 3))
    for name, count in {"0": 0, "few": 1000, "double": 2 * FRAMES, "max": 2**36 - 1}.items():
        (folder / f"count-{name}.flac").write_bytes(flac_count(whole["flac"], count))
    ffmpeg("-i", wav, "-i", wav, "-filter_complex", "[0:a]atrim=duration=1[a]", "-map", "[a]", "-map", "1:a", "-c:a", "aac",
           "-disposition:a:0", "0", "-disposition:a:1", "default", folder / "tracks.m4a")
    ffmpeg("-i", wav, "-c:a", "libmp3lame", folder / "mp3-in.wav")
    for name in ["pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s24le", "pcm_f64le", "adpcm_ms", "adpcm_ima_wav"]:
        ffmpeg("-i", wav, "-c:a", name, folder / f"{name}.wav")
    for name in ["pcm_s24be", "pcm_f32be", "pcm_alaw"]:
        ffmpeg("-i", wav, "-c:a", name, folder / f"{name}.aiff")
    wav.unlink()


def in_ffmpeg(path):
    run = subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-i", f"file:{path}", "-vn", "-ac", "1", "-c:a",
                          "pcm_s16le", "-f", "s16le", "-"], capture_output=True)
    return str(len(run.stdout) // 2) if run.stdout else "-"


def in_libsndfile(path):
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            return str(sum(len(block) for block in file.blocks(65536)))
    except (soundfile.SoundFileError, RuntimeError):
        return "-"


def main():
    folder, frames = Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    make(folder)
    paths = sorted(folder.iterdir())
    lines = subprocess.run([frames, *paths], capture_output=True, text=True, check=True).stdout.splitlines()
    print("file", "bunri", "ffmpeg", "libsndfile", "remark", sep="\t")
    for path, line in zip(paths, lines):
        _, count, _, _, *remark = line.split("\t")
        remark = "\t".join(remark).replace(f"{path}: ", "")
        print(path.name, count, in_ffmpeg(path), in_libsndfile(path), remark, sep="\t")


main()

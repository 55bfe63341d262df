#!/usr/bin/env python3
"""Turns the table of `make.py` into README.md; fails where a difference has no explanation.

    python3 tests/odd_files/explain.py < table.tsv > tests/odd_files/README.md
"""

import fnmatch
import sys

# Pattern of the file, who differs from the count here, why.
WHY = [
    ("id3v2.m4a", "ffmpeg", "behind a tag neither index nor edit list is looked for: the delay stays (ffmpeg opens nothing)"),
    ("id3v2.*m4a", "ffmpeg", "ffmpeg opens no MP4 behind a tag"),
    ("flipped.alac.m4a", "ffmpeg", "a damaged packet that decodes all the same (ALAC has no checksum), left out there"),
    ("filled.*m4a", "ffmpeg", "the index says how long each packet is: silence for those of zeros here (said), left out there"),
    ("*.m4a", "ffmpeg", "FFmpeg 5.1 plays the padding of the last AAC packet"),
    ("flipped.*", "ffmpeg", "damaged packets: silence here (said), left out there"),
    ("flipped.*", "libsndfile", "damaged packets: silence here (said), another resynchronisation there"),
    ("filled.aac", "ffmpeg", "where zeros begin one packet is silence here (said), left out there"),
    ("*.w64", "ffmpeg", "ffmpeg opens no Wave64 with something behind it"),
    ("*.w64", "libsndfile", "libsndfile reads what follows as sound"),
    ("count-*.mp3", "ffmpeg", "ffmpeg plays the padding where the count in the Info frame is wrong"),
    ("*.mp3", "libsndfile", "libsndfile believes the count, or estimates it from the first packets"),
    ("noise.*mp3", "ffmpeg", "ffmpeg plays the padding where the size in the Info frame is wrong"),
    ("zeros.*mp3", "ffmpeg", "ffmpeg plays the padding where the size in the Info frame is wrong"),
    ("twice.*mp3", "ffmpeg", "ffmpeg plays the padding where the size in the Info frame is wrong"),
    ("half.*mp3", "ffmpeg", "ffmpeg plays the last packet, of which a part is missing"),
    ("short.*mp3", "ffmpeg", "ffmpeg plays the last packet, of which a part is missing"),
    ("mp3-in.wav", "libsndfile", "libsndfile counts by `fact`"),
    ("count-*.flac", "libsndfile", "libsndfile believes the count, or opens nothing"),
    ("twice.flac", "ffmpeg", "ffmpeg loses packets where the second file begins"),
    ("twice.*", "libsndfile", "libsndfile reads the first of the joined files, or opens none"),
    ("twice.vorbis.mkv", "ffmpeg", "the built-in reader ends with the first file; ffmpeg reads both (THIN: nothing is said here)"),
    ("twice.ogg", "ffmpeg", "ffmpeg keeps 128 frames of delay at the second file"),
    ("header-*-0.wav", "libsndfile", "libsndfile takes a size of 0 for no sound"),
    ("header-all-0.wav", "libsndfile", "libsndfile takes a size of 0 for no sound"),
    ("header-fmt-behind.wav", "libsndfile", "libsndfile wants `fmt ` in front of the sound"),
    ("header-odd-unpadded.wav", "*", "neither finds a chunk behind one of odd length without padding"),
    ("zeros.vorbis.mkv", "*", "the built-in reader calls zeros behind the end damaged packets (THIN)"),
    ("id3v2.*", "libsndfile", "libsndfile opens this format at the file's start only"),
    ("id3v2.*", "ffmpeg", "ffmpeg opens this format at the file's start only"),
    ("*.flac", "libsndfile", "libsndfile refuses a FLAC that does not end where its header says"),
    ("*.aiff", "libsndfile", "libsndfile opens no AIFF that another follows"),
    ("*", "libsndfile", "libsndfile has no reader for this codec or container"),
]


def why(name, who):
    return next((text for pattern, other, text in WHY if fnmatch.fnmatch(name, pattern) and other in (who, "*")), None)


def main():
    rows = [line.rstrip("\n").split("\t") for line in sys.stdin][1:]
    unexplained, lines, agreed = [], [], []
    for name, here, ffmpeg, libsndfile, remark in rows:
        remark = remark.replace("/usr/bin/", "")
        reasons = []
        for who, count in [("ffmpeg", ffmpeg), ("libsndfile", libsndfile)]:
            if count != here:
                reason = why(name, who)
                reasons.append(reason or "?")
                if reason is None:
                    unexplained.append(f"{name}: {here} here, {count} in {who}")
        if not reasons and not remark:
            agreed.append(f"{name} ({here})")
            continue
        text = "; ".join(dict.fromkeys(reasons))
        lines.append(f"| {name} | {here} | {ffmpeg} | {libsndfile} | {remark} | {text} |")
    print(f"""# Odd files

{len(rows)} files of two seconds (88,200 frames at 44.1 kHz; 96,000 in Opus) that `make.py` makes: each container whole and
with each oddity, WAV with thirty headers, counts that are wrong. Frames read here, by ffmpeg 5.1 and by libsndfile
1.2.2 (`-`: refused). mp3 without an Info frame and ADTS do not tell their delay and padding, so that all three play
them. Rows marked THIN are known and not right yet.

| file | here | ffmpeg | libsndfile | what is said | why they differ |
|---|---|---|---|---|---|""")
    print("\n".join(lines))
    print(f"\nThe same in all three, and nothing said: {', '.join(agreed)}.")
    if unexplained:
        sys.exit("\n".join(unexplained))


main()

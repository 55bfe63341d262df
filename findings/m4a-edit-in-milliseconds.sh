#!/usr/bin/env bash
# One AAC file has three lengths: FFmpeg 7 keeps the encoder's padding, FFmpeg 9 cuts 26 frames of music off.
#
# Seen 2026-11-30: FFmpeg 7.0.2 (imageio-ffmpeg 0.6.0) and 9.0.2 (imageio-ffmpeg 0.8.1), Python 3.11.
# Guess: the edit list holds the true length, and each version reads 100,001 frames from either version's file.
# Seen, frames read of the 100,001 that were written to an m4a:
#   written by 7, movie timescale 1000: 7 reads 100352, 9 reads 99975
#   written by 7, movie timescale 44100: 7 reads 100352, 9 reads 100001
#   written by 9, movie timescale 44100: 7 reads 100352, 9 reads 100001
# An edit's length counts in units of the movie, which FFmpeg made milliseconds until lately, rounded down here; 7 and
# before skip what lies before the edit, but not what lies behind it; 9 skips both.
# Why it matters: most m4a files in existence were written like the first. A decoder that obeys the end of the edit
# loses up to a millisecond of each, and "as FFmpeg does" names no length without a version. Stem files (.stem.mp4)
# should be written with the sample rate as the movie's timescale.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for version in 0.6.0 0.8.1; do
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --target "$version" "imageio-ffmpeg==$version"
    PYTHONPATH=$version python3 -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())' >"$version.path"
done
seven=$(<0.6.0.path) nine=$(<0.8.1.path)
"$seven" -version | head -n 1 | cut -d ' ' -f 1-3
"$nine" -version | head -n 1 | cut -d ' ' -f 1-3

write() { # FFMPEG FILE [OPTION...]
    local program=$1 file=$2
    shift 2
    "$program" -v error -f lavfi -i "anoisesrc=a=0.1:r=44100:seed=1,atrim=end_sample=100001" -ac 2 -c:a aac "$@" "$file"
}
frames() { # FFMPEG FILE
    echo $(($("$1" -v error -i "$2" -f s16le -c:a pcm_s16le - | wc -c) / 4))
}
timescale() { # FILE: the field of `mvhd` behind its name, version and two times
    python3 -c 'import sys; data = open(sys.argv[1], "rb").read(); at = data.index(b"mvhd") + 16
print(int.from_bytes(data[at:at + 4], "big"))' "$1"
}
write "$seven" seven.m4a
write "$seven" seven-fine.m4a -movie_timescale 44100
write "$nine" nine.m4a
for file in seven seven-fine nine; do
    echo "$file: movie timescale $(timescale $file.m4a), 7 reads $(frames "$seven" $file.m4a), 9 reads $(frames "$nine" $file.m4a)"
done | tee seen
diff seen - <<'EOF'
seven: movie timescale 1000, 7 reads 100352, 9 reads 99975
seven-fine: movie timescale 44100, 7 reads 100352, 9 reads 100001
nine: movie timescale 44100, 7 reads 100352, 9 reads 100001
EOF

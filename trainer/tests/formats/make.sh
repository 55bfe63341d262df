#!/bin/sh
# Makes bursts.stem.mp4: half a second in five AAC tracks as in MUSDB18 (mixture, drums, bass, other,
# vocals), each a burst of its own pitch from 0.20 to 0.25 s, the mixture their sum. Needs ffmpeg.
set -eu
cd "$(dirname "$0")"
burst() { echo "0.2*sin(2*PI*$1*t)*between(t\\,0.2\\,0.25)"; }
tone() { echo "aevalsrc=exprs=$1:sample_rate=44100:duration=0.5"; }
ffmpeg -v error -y \
    -f lavfi -i "$(tone "$(burst 300)+$(burst 500)+$(burst 700)+$(burst 900)")" \
    -f lavfi -i "$(tone "$(burst 300)")" -f lavfi -i "$(tone "$(burst 500)")" \
    -f lavfi -i "$(tone "$(burst 700)")" -f lavfi -i "$(tone "$(burst 900)")" \
    -map 0:a -map 1:a -map 2:a -map 3:a -map 4:a -c:a aac -b:a 64k -ac 1 -fflags +bitexact \
    -flags:a +bitexact bursts.stem.mp4

#!/bin/sh
# Makes the golden files of this folder from synthetic sound, with ffmpeg 5.1, LAME 3.100 (through ffmpeg)
# and oggenc of vorbis-tools 1.4.2. The tests take them apart and join them; other versions of the encoders
# give other bytes and the same counts of frames.
set -eu
cd "$(dirname "$0")"
ff() { ffmpeg -hide_banner -loglevel error -y -bitexact "$@"; }
temporary=$(mktemp -d)
trap 'rm -r "$temporary"' EXIT

# One second of a chord and some noise: 44100 frames.
chord='aevalsrc=0.2*sin(2*PI*220*t)+0.2*sin(2*PI*277*t)+0.1*sin(2*PI*1109*t)+0.02*(random(0)-0.5):s=44100:d=1'
ff -f lavfi -i "$chord" "$temporary/tone.wav"
oggenc --quiet --serial 7 -q 9 -o tone.ogg "$temporary/tone.wav"
ff -i "$temporary/tone.wav" -c:a libmp3lame -b:a 64k tone.mp3
ff -i "$temporary/tone.wav" -c:a aac -b:a 48k -movflags +faststart tone.m4a
ff -i "$temporary/tone.wav" -c:a aac -b:a 48k -f adts tone.aac
ff -i "$temporary/tone.wav" -c:a libopus -b:a 32k tone.opus

# Half a second of noise and two seconds of silence with variable rate and no count of frames: an estimate
# from the first frames is far too low.
ff -f lavfi -i 'anoisesrc=d=0.5:r=22050:seed=7:a=0.5' -af apad=pad_dur=2 -c:a libmp3lame -q:a 4 \
    -write_xing 0 loud_then_quiet.mp3

# Two audio tracks, the second the default one: 22050 and 44100 frames.
ff -i "$temporary/tone.wav" -i "$temporary/tone.wav" -filter_complex '[0:a]atrim=duration=0.5[a]' \
    -map '[a]' -map 1:a -c:a aac -b:a 32k -disposition:a:0 0 -disposition:a:1 default two_tracks.m4a
ff -i "$temporary/tone.wav" -i "$temporary/tone.wav" -filter_complex '[0:a]atrim=duration=0.5[a]' \
    -map '[a]' -map 1:a -c:a flac -disposition:a:0 0 -disposition:a:1 default two_tracks.mka

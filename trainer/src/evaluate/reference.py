"""PyPI museval's side of `trainer evaluate --against-museval`.

Says `ready`, and for every line `INPUT OUTPUT SOURCES CHANNELS FRAMES WINDOW` on standard input reads
the raw float32 file INPUT ([2][sources][channels][frames]: references, then estimates), writes SDR,
ISR, SIR and SAR to OUTPUT (raw float64, [4][sources][windows]) and answers with the seconds that
museval took.
"""

import importlib.metadata
import importlib.util
import pathlib
import sys
import time

import numpy

# museval/metrics.py needs numpy and scipy only; importing the package also wants ffmpeg installed.
if importlib.metadata.version("museval") != "0.4.1":
    sys.exit("museval is not 0.4.1 but " + importlib.metadata.version("museval"))
package = pathlib.Path(importlib.util.find_spec("museval").origin).parent
spec = importlib.util.spec_from_file_location("museval_metrics", package / "metrics.py")
metrics = importlib.util.module_from_spec(spec)
spec.loader.exec_module(metrics)

print("ready", flush=True)
for line in sys.stdin:
    source, target, *numbers = line.split()
    sources, channels, frames, window = map(int, numbers)
    audio = numpy.fromfile(source, dtype=numpy.float32)
    audio = audio.reshape(2, sources, channels, frames).transpose(0, 1, 3, 2).astype(float)
    audio = numpy.ascontiguousarray(audio)
    started = time.perf_counter()
    figures = metrics.bss_eval(audio[0], audio[1], window=window, hop=window)[:4]
    seconds = time.perf_counter() - started
    numpy.stack(figures).astype("<f8").tofile(target)
    print(seconds, flush=True)

"""Bunri in DawDreamer: VST3 by JUCE, all ten channels, latency reported and not compensated."""

import os
import tempfile
import time

import numpy as np
from cases import (
    BLOCKS, BUNDLE, MODEL_RATE_HZ, RATES_HZ, STEM_GAINS, assert_near, assert_no_engine_loaded,
    corrupted, delayed, loaded_libraries, main, noise, residual_dbfs, strange_input,
)
from dawdreamer import RenderEngine


class Track:
    """One instance behind a player, in an engine of its own."""

    def __init__(self, rate_hz=MODEL_RATE_HZ, block=512):
        self.rate_hz = rate_hz
        self.engine = RenderEngine(rate_hz, block)
        self.plugin = self.engine.make_plugin_processor("bunri", BUNDLE)
        self.plays = 0

    def play(self, signal):
        """All ten channels, and the latency."""
        # A name of its own each time, for DawDreamer says something about every name that returns.
        self.plays += 1
        name = f"player{self.plays}"
        player = self.engine.make_playback_processor(name, signal)
        self.engine.load_graph([(player, []), (self.plugin, [name])])
        self.engine.render((signal.shape[1] + 0.5) / self.rate_hz)
        return self.engine.get_audio()[:, : signal.shape[1]], self.plugin.get_latency_samples()

    def load_state(self, path):
        try:
            self.plugin.load_state(path)
        except RuntimeError as error:
            # Its last step looks for an editor; the state is loaded by then.
            assert "no available editor" in str(error), error

    def parameters(self):
        return [text["currentValText"] for text in self.plugin.get_parameters_description()]


def padded(frames, seed, latency=80_000):
    """Noise, and room behind it for what is late."""
    return np.concatenate([noise(frames, seed), np.zeros((2, latency), np.float32)], 1)


def assert_echo(track, signal, what, stems=True):
    out, latency = track.play(signal)
    assert out.shape[0] == 10, f"{what}: {out.shape[0]} channels"
    late = delayed(signal, latency)
    assert_near(out[:2], late, f"{what}: main")
    assert_near(out[2:].reshape(4, 2, -1).sum(0), late, f"{what}: sum of the stems")
    if stems:
        for index, gain in enumerate(STEM_GAINS):
            got = out[2 + 2 * index : 4 + 2 * index]
            assert_near(got, gain * late, f"{what}: stem {index}")


def lines_up():
    assert_echo(Track(), padded(30_000, 1), "44100 Hz")
    assert_echo(Track(48000), padded(30_000, 1), "48000 Hz", stems=False)


def aux():
    out, latency = Track().play(padded(30_000, 2))
    for index, gain in enumerate(STEM_GAINS):
        bus = out[2 + 2 * index : 4 + 2 * index]
        assert_near(bus, gain * delayed(padded(30_000, 2), latency), f"stem {index}")


def rates():
    for rate_hz in RATES_HZ:
        track = Track(rate_hz)
        assert_echo(track, padded(20_000, 3), f"{rate_hz} Hz", stems=rate_hz == MODEL_RATE_HZ)


def blocks():
    for block in BLOCKS:
        assert_echo(Track(block=block), padded(20_000, block), f"blocks of {block}")


def null():
    figures = []
    for rate_hz in (44100, 48000):
        signal = padded(60_000, 4)
        out, latency = Track(rate_hz).play(signal)
        figures.append((residual_dbfs(out[:2], delayed(signal, latency)), rate_hz))
        assert figures[-1][0] < -120, figures
    return ", ".join(f"{dbfs:.1f} dBFS at {rate_hz} Hz" for dbfs, rate_hz in figures)


def parameter(track, name):
    texts = track.plugin.get_parameters_description()
    return next(text["index"] for text in texts if text["name"].lower() == name)


def state():
    track = Track()
    track.plugin.set_parameter(parameter(track, "drums gain"), 0.0)
    track.plugin.set_parameter(parameter(track, "bass gain"), 0.5)
    signal = padded(20_000, 5)
    out, _ = track.play(signal)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        track.plugin.save_state(path)
        other = Track()
        assert other.parameters() != track.parameters()
        other.load_state(path)
    assert other.parameters() == track.parameters()
    assert_near(other.play(signal)[0], out, "with the restored state")


def reactivation():
    # DawDreamer fixes both for an engine: new engines in one process, one after the other.
    for rate_hz, block in ((44100, 64), (96000, 4096), (48000, 1), (44100, 64)):
        track = Track(rate_hz, block)
        assert_echo(track, padded(15_000, block), f"{rate_hz} Hz, {block}", rate_hz == 44100)


def random_events():
    random = np.random.default_rng(9)
    tracks = [Track(block=block) for block in (64, 512, 8192)]
    for index in range(1000):
        track = tracks[random.integers(len(tracks))]
        if random.integers(3) == 0:
            count = len(track.parameters())
            track.plugin.set_parameter(int(random.integers(count)), float(random.uniform()))
        elif random.integers(100) == 0:
            tracks[random.integers(len(tracks))] = Track(int(random.choice(RATES_HZ)), 512)
        else:
            out, _ = track.play(noise(int(random.integers(1, 2000)), index))
            assert np.isfinite(out).all(), f"event {index}"
    assert_echo(Track(), padded(20_000, 1), "afterwards")


def automation():
    for block in (1, 64, 1000):
        track = Track(block=block)
        signal = padded(30_000, 6)
        for index in range(len(track.parameters())):
            curve = np.random.default_rng(index).uniform(0, 1, signal.shape[1])
            track.plugin.set_automation(index, curve.astype(np.float32))
        out, _ = track.play(signal)
        assert np.isfinite(out).all(), f"blocks of {block}"
    # A gain that falls to silence at one frame: at that block's beginning, and not before.
    track = Track(block=64)
    signal = padded(60_000, 6)
    drums = parameter(track, "drums gain")
    curve = np.full(signal.shape[1], track.plugin.get_parameter(drums), np.float32)
    curve[40_000:] = 0.0
    track.plugin.set_automation(drums, curve)
    out, latency = track.play(signal)
    late = STEM_GAINS[0] * delayed(signal, latency)
    assert_near(out[2:4, :40_000], late[:, :40_000], "before the change")
    ramp = 64 + int(0.05 * MODEL_RATE_HZ)
    assert not out[2:4, 40_000 + ramp :].any(), "the drums are not silent after the change"


def instances():
    engine = RenderEngine(MODEL_RATE_HZ, 512)
    signals = [padded(10_000, seed) for seed in range(8)]
    graph, plugins = [], []
    for index, signal in enumerate(signals):
        player = engine.make_playback_processor(f"player{index}", signal)
        plugin = engine.make_plugin_processor(f"bunri{index}", BUNDLE)
        plugin.record = True
        plugins.append(plugin)
        graph += [(player, []), (plugin, [f"player{index}"])]
    engine.load_graph(graph)
    engine.render(signals[0].shape[1] / MODEL_RATE_HZ)
    for index, (plugin, signal) in enumerate(zip(plugins, signals)):
        out = plugin.get_audio()
        late = delayed(signal, plugin.get_latency_samples())[:, : out.shape[1]]
        assert_near(out[:2, : late.shape[1]], late, f"instance {index}")


def missing_engine():
    signal = padded(20_000, 1)
    out, latency = Track().play(signal)
    assert_near(out[:2], delayed(signal, latency), "dry", 0.0)
    assert not out[2:].any(), "stems without an engine"


def corrupt_states():
    track = Track()
    track.plugin.set_parameter(parameter(track, "drums gain"), 0.3)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        track.plugin.save_state(path)
        with open(path, "rb") as file:
            saved = file.read()
        for seed in range(100):
            with open(path, "wb") as file:
                file.write(corrupted(saved, seed))
            track.load_state(path)
            out, _ = track.play(noise(2000, seed))
            assert np.isfinite(out).all(), f"state {seed}"
    assert_echo(Track(), padded(20_000, 1), "afterwards")


def strange():
    signal = strange_input(60_000, 5)
    signal = np.concatenate([signal, np.zeros((2, 80_000), np.float32)], 1)
    out, latency = Track().play(signal)
    assert np.isfinite(out).all(), f"{(~np.isfinite(out)).sum()} samples are no numbers"
    late = delayed(signal, latency)
    assert_near(out[:2, latency + 30_000 :], late[:, latency + 30_000 :], "afterwards")


def stalled():
    signal = 0.5 * padded(60_000, 6)
    signal[:, 20_000] = 3.0  # the fake engine's cue
    begun = time.monotonic()
    assert_echo(Track(), signal, "a host that freewheels is waited for")
    assert time.monotonic() - begun > 2, "nothing stalled"


def engine_error():
    signal = 0.5 * padded(120_000, 6)
    signal[:, 20_000] = 5.0  # the fake engine's cue
    out, latency = Track().play(signal)
    assert np.isfinite(out).all()
    late = delayed(signal, latency)
    before, after = latency + 17_000, latency + 60_000
    assert_near(out[:2, :before], late[:, :before], "before")
    assert_near(out[:2, after:], late[:, after:], "afterwards, separated or dry")


def unload():
    begun = time.monotonic()
    assert_no_engine_loaded()
    for _ in range(50):
        track = Track()
        track.plugin.get_num_output_channels()
        del track
    seconds = time.monotonic() - begun
    # JUCE prepares what it instantiates, and Bunri then opens its engine: no scan.
    assert loaded_libraries("libbunri_engine"), "an instance that never opened its engine"
    return f"instances, {seconds / 50 * 1000:.0f} ms each"


main({
    "echo": [
        ("latency to the sample", lines_up),
        ("aux buses on", aux),
        ("block sizes 1 to 8192", blocks),
        ("rates 22.05 to 192 kHz", rates),
        ("null test at 0 dB", null),
        ("state round trip", state),
        ("reactivation", reactivation),
        ("1,000 random events", random_events),
        ("automation", automation),
        ("many instances", instances),
        ("corrupt states", corrupt_states),
        ("NaN, Inf, denormals", strange),
    ],
    "scan": [("scan and unload", unload)],
    "missing": [("missing engine", missing_engine)],
    "stall": [("worker stalled for 2 s", stalled)],
    "error": [("engine error", engine_error)],
})

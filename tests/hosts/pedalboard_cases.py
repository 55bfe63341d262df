"""Bunri in pedalboard: VST3 by JUCE, main bus alone, offline, latency compensated by the host."""

import time

import numpy as np
from cases import (
    BLOCKS, BUNDLE, MODEL_RATE_HZ, RATES_HZ, assert_near, assert_no_engine_loaded, corrupted,
    loaded_libraries, main, noise, residual_dbfs, strange_input,
)
from pedalboard import VST3Plugin


def load():
    return VST3Plugin(BUNDLE)


def played(plugin, signal, rate_hz=MODEL_RATE_HZ, block=512):
    """The output for all of the input: its tail is pushed out by silence."""
    tail = np.zeros((signal.shape[0], 60_000), np.float32)
    out = plugin.process(np.concatenate([signal, tail], 1), rate_hz, buffer_size=block, reset=True)
    return out[:, : signal.shape[1]]


def lines_up():
    plugin = load()
    for rate_hz in (44100, 48000):
        signal = noise(30_000, 1)
        assert_near(played(plugin, signal, rate_hz), signal, f"{rate_hz} Hz")


def rates():
    plugin = load()
    for rate_hz in RATES_HZ:
        signal = noise(20_000, rate_hz)
        assert_near(played(plugin, signal, rate_hz), signal, f"{rate_hz} Hz")


def blocks():
    plugin = load()
    for block in BLOCKS:
        signal = noise(20_000, block)
        assert_near(played(plugin, signal, block=block), signal, f"blocks of {block}")


def null():
    plugin = load()
    figures = []
    for rate_hz in (44100, 48000):
        signal = noise(60_000, 3)
        figures.append((residual_dbfs(played(plugin, signal, rate_hz), signal), rate_hz))
        assert figures[-1][0] < -120, figures
    return ", ".join(f"{dbfs:.1f} dBFS at {rate_hz} Hz" for dbfs, rate_hz in figures)


def state():
    plugin = load()
    plugin.drums_gain = -20.0
    plugin.vocals_gain = 6.0
    # The settings reach the plugin with a block.
    plugin.process(noise(1000, 1), MODEL_RATE_HZ)
    saved = plugin.raw_state
    shown = {name: str(value) for name, value in plugin.parameters.items()}
    other = load()
    assert shown != {name: str(value) for name, value in other.parameters.items()}
    other.raw_state = saved
    assert shown == {name: str(value) for name, value in other.parameters.items()}
    signal = noise(20_000, 4)
    gain = 0.1 * 10 ** (-20 / 20) + 0.2 + 0.3 + 0.4 * 10 ** (6 / 20)
    assert_near(played(other, signal), gain * signal, "with the restored gains", 1e-4)


def reactivation():
    plugin = load()
    for rate_hz, block in ((44100, 64), (96000, 4096), (48000, 1), (44100, 64)):
        signal = noise(15_000, block)
        assert_near(played(plugin, signal, rate_hz, block), signal, f"{rate_hz} Hz, {block}")


def random_events():
    random = np.random.default_rng(7)
    plugin = load()
    for index in range(1000):
        kind = random.integers(6)
        if kind == 0:
            plugin.reset()
        elif kind == 1:
            plugin.drums_gain = float(random.uniform(-60, 12))
        else:
            signal = noise(int(random.integers(1, 3000)), index)
            rate_hz = int(random.choice(RATES_HZ)) if kind == 2 else MODEL_RATE_HZ
            block = int(random.integers(1, 8193)) if kind == 3 else 512
            out = plugin.process(signal, rate_hz, buffer_size=block, reset=bool(random.integers(2)))
            assert np.isfinite(out).all(), f"event {index}"
    plugin.drums_gain = 0.0
    signal = noise(20_000, 1)
    assert_near(played(plugin, signal), signal, "afterwards")


def automation():
    plugin = load()
    for block in (1, 64, 1000):
        plugin.reset()
        for step, value in enumerate(np.linspace(0, 1, 9)):
            for parameter in plugin.parameters.values():
                parameter.raw_value = float((value + 0.1 * step) % 1.0)
            out = plugin.process(noise(4000, step), MODEL_RATE_HZ, buffer_size=block, reset=False)
            assert np.isfinite(out).all(), f"blocks of {block}, step {step}"
    fresh = load()
    for name, parameter in plugin.parameters.items():
        parameter.raw_value = fresh.parameters[name].raw_value
    signal = noise(20_000, 2)
    assert_near(played(plugin, signal), signal, "with all parameters back")


def instances():
    plugins = [load() for _ in range(8)]
    for plugin, seed in zip(plugins, range(8)):
        signal = noise(10_000, seed)
        assert_near(played(plugin, signal), signal, f"instance {seed}")


def scan():
    begun = time.monotonic()
    for _ in range(50):
        assert VST3Plugin.get_plugin_names_for_file(BUNDLE) == ["Bunri"]
    seconds = time.monotonic() - begun
    assert_no_engine_loaded()
    load().process(noise(1000, 1), MODEL_RATE_HZ)
    assert loaded_libraries("libbunri_engine"), "the check for loaded engines cannot fail"
    return f"{seconds / 50 * 1000:.1f} ms each"


def missing_engine():
    plugin = load()
    signal = noise(20_000, 1)
    assert_near(played(plugin, signal), signal, "dry", 0.0)


def corrupt_states():
    plugin = load()
    signal = noise(3000, 1)
    for setting in (-20.0, 6.0):
        plugin.drums_gain = setting
        plugin.process(signal, MODEL_RATE_HZ)
        saved = plugin.raw_state
        for seed in range(100):
            try:
                plugin.raw_state = corrupted(saved, seed)
            except Exception as error:  # refusing is an answer
                assert "state" in str(error).lower() or "preset" in str(error).lower(), error
            out = plugin.process(signal, MODEL_RATE_HZ)
            assert np.isfinite(out).all(), f"state {seed}"
    plugin.raw_state = load().raw_state
    signal = noise(20_000, 1)
    assert_near(played(plugin, signal), signal, "with a good state again")


def strange():
    signal = strange_input(60_000, 5)
    out = played(load(), signal)
    assert np.isfinite(out).all(), f"{(~np.isfinite(out)).sum()} samples are no numbers"
    # A chunk after the last of them, as the echo model's are 4096 frames.
    assert_near(out[:, 30_000:], signal[:, 30_000:], "afterwards")


def stalled():
    signal = 0.5 * noise(60_000, 6)
    signal[:, 20_000] = 3.0  # the fake engine's cue
    begun = time.monotonic()
    out = played(load(), signal)
    assert time.monotonic() - begun > 2, "nothing stalled"
    assert_near(out, signal, "an offline host waits")


def engine_error():
    signal = 0.5 * noise(120_000, 6)
    signal[:, 20_000] = 5.0  # the fake engine's cue
    out = played(load(), signal)
    assert np.isfinite(out).all()
    assert_near(out[:, :17_000], signal[:, :17_000], "before")
    assert_near(out[:, 60_000:], signal[:, 60_000:], "afterwards, separated or dry")


def reset():
    plugin = load()
    plugin.process(noise(30_000, 8), MODEL_RATE_HZ, reset=True)
    silence = np.zeros((2, 30_000), np.float32)
    assert not plugin.process(silence, MODEL_RATE_HZ, reset=True).any(), "old audio"


def mono():
    signal = noise(20_000, 8)[:1]
    try:
        played(load(), signal)
    except ValueError as error:
        # A VST3 offers hosts one layout (clap-wrapper 0.3.1); pedalboard says so before it plays.
        assert "does not support 1-channel" in str(error), error
        return "refused in words: users give both channels"
    raise AssertionError("one channel where two were expected")


main({
    "echo": [
        ("latency to the sample", lines_up),
        ("aux buses off", lines_up),
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
        ("reset in mid-stream", reset),
        ("mono input", mono),
    ],
    "scan": [("scan and unload", scan)],
    "missing": [("missing engine", missing_engine)],
    "stall": [("worker stalled for 2 s", stalled)],
    "error": [("engine error", engine_error)],
})

//! What a test asks of a host, whatever the plugin format.

use std::path::Path;
use std::time::{Duration, Instant};

use bunri_stream::Planar;

use crate::{clap_host::ClapHost, vst3_host::Vst3Host};

/// The stems in the order of the buses after the main one.
pub const STEMS: [&str; 4] = ["drums", "bass", "other", "vocals"];

/// The plugin formats, each with its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Hosted by `clack-host`.
    Clap,
    /// Hosted by `vst3-host`.
    Vst3,
}

impl Format {
    /// The host's name in the table of hosts.
    #[must_use]
    pub fn host_name(self) -> &'static str {
        match self {
            Format::Clap => "clack-host (CLAP)",
            Format::Vst3 => "vst3-host (VST3)",
        }
    }

    /// Loads the bundle at `path` and makes one instance of the plugin in it.
    #[must_use]
    pub fn load(self, path: &Path) -> Box<dyn PluginHost> {
        match self {
            Format::Clap => Box::new(ClapHost::load(path)),
            Format::Vst3 => Box::new(Vst3Host::load(path)),
        }
    }
}

/// How a host claims to run, and how fast it really does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Says offline, and calls as fast as it can: a proper export.
    Offline,
    /// Says realtime, yet calls as fast as it can: an export of a host that does not tell.
    Freewheel,
    /// Says realtime and waits for the clock: playback.
    Live,
}

/// Whether the four stem buses have buffers behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuxBuses {
    /// Every bus is active and has buffers.
    Active,
    /// Only the main bus is: CLAP ports without channels, VST3 buses left inactive.
    Inactive,
}

/// All that a host tells a plugin at activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The host's sample rate in Hz.
    pub rate_hz: u32,
    /// The longest block that may come.
    pub max_block_frames: usize,
    /// Realtime or offline, and the true speed.
    pub pace: Pace,
    /// Whether the stem buses are connected.
    pub aux: AuxBuses,
}

impl Setup {
    /// A proper export with all buses, at the rate of the tests' models: their stems are then exactly
    /// the delayed input times their gains.
    #[must_use]
    pub const fn export(max_block_frames: usize) -> Self {
        Self {
            rate_hz: 44_100,
            max_block_frames,
            pace: Pace::Offline,
            aux: AuxBuses::Active,
        }
    }
}

/// A parameter as a host shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterView {
    /// The name.
    pub name: String,
    /// Position between its ends, 0..=1.
    pub fraction: f64,
    /// The plugin's own text for that value, e.g. `-6.0 dB`.
    pub text: String,
}

/// One host with one instance of the plugin. Methods panic with the host's reason: a host that
/// refuses is a failed test.
pub trait PluginHost {
    /// Activates and starts processing; deactivates first where needed.
    fn activate(&mut self, setup: Setup);

    /// Stops processing and deactivates.
    fn deactivate(&mut self);

    /// The latency that the plugin reported for the present activation, in host frames.
    fn latency_frames(&mut self) -> usize;

    /// Sends `input`, `[2][frames]`, in blocks whose lengths go round in `blocks`, and returns the
    /// connected output buses, each `[2][frames]`: main alone, or main and the four stems.
    fn process(&mut self, input: &Planar, blocks: &[usize]) -> Vec<Planar>;

    /// Tells the running plugin to forget its past, as a transport jump does.
    fn reset(&mut self);

    /// The plugin's state, opaque.
    fn save_state(&mut self) -> Vec<u8>;

    /// Restores what [`PluginHost::save_state`] gave; `false` if the plugin refuses it.
    fn load_state(&mut self, state: &[u8]) -> bool;

    /// Every parameter.
    fn parameters(&mut self) -> Vec<ParameterView>;

    /// Moves the parameter of that name to `fraction` of its range, with the next block.
    fn set_parameter(&mut self, name: &str, fraction: f64) {
        self.set_parameter_at(name, fraction, 0);
    }

    /// The same, at a frame of the next block, where there is such a frame; at its last otherwise.
    fn set_parameter_at(&mut self, name: &str, fraction: f64, frame: usize);

    /// Names of the output buses in order.
    fn output_names(&mut self) -> Vec<String>;
}

/// Cuts `frames` into blocks whose lengths go round in `blocks`: `(start, frames)` of each.
///
/// Panics if no block is longer than zero.
pub fn block_ranges(
    frames: usize,
    blocks: &[usize],
) -> impl Iterator<Item = (usize, usize)> + use<'_> {
    assert!(
        blocks.iter().any(|&block| block > 0),
        "blocks {blocks:?} never end"
    );
    let mut lengths = blocks.iter().copied().cycle();
    let mut start = 0;
    std::iter::from_fn(move || {
        (start < frames).then(|| {
            let length = lengths
                .find(|&length| length > 0)
                .unwrap_or(1)
                .min(frames - start);
            start += length;
            (start - length, length)
        })
    })
}

/// Holds a host back to the speed of its sound card where its [`Pace`] says so.
pub(crate) struct Clock {
    started: Instant,
    rate_hz: u32,
    live: bool,
}

impl Clock {
    pub(crate) fn start(setup: &Setup) -> Self {
        Self {
            started: Instant::now(),
            rate_hz: setup.rate_hz,
            live: setup.pace == Pace::Live,
        }
    }

    /// Sleeps until the moment when a sound card would have taken `frames` frames.
    pub(crate) fn wait_until_played(&self, frames: usize) {
        // A sound card wakes its host once a buffer; sleeping for each single frame would measure
        // the scheduler instead.
        const WORTH_SLEEPING: Duration = Duration::from_millis(2);
        if !self.live {
            return;
        }
        let due = Duration::from_secs_f64(frames as f64 / f64::from(self.rate_hz));
        let ahead = due.saturating_sub(self.started.elapsed());
        if ahead > WORTH_SLEEPING {
            std::thread::sleep(ahead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_every_frame_once() {
        let ranges: Vec<_> = block_ranges(10, &[1, 4]).collect();
        assert_eq!(ranges, [(0, 1), (1, 4), (5, 1), (6, 4)]);
        let ranges: Vec<_> = block_ranges(5, &[4]).collect();
        assert_eq!(ranges, [(0, 4), (4, 1)]);
    }
}

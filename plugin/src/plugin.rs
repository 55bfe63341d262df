//! The plugin as nice-plug sees it: buses, parameters and the lifecycle.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use bunri_stream::engine::{Engine, EngineModel, ModelSource, OpenOptions};
use nice_plug::prelude::*;

use crate::exchange::{Counts, HostSetup, STEMS};
use crate::link::{AudioLink, Controls};
use crate::params::BunriParams;
use crate::separation::{Condition, Separation};

/// Main bus and stem buses.
pub const OUTPUT_PORTS: usize = 1 + STEMS;

/// Names a checkpoint to use in place of the engine's own model.
pub const MODEL_VARIABLE: &str = "BUNRI_MODEL";

const STEREO: NonZeroU32 = new_nonzero_u32(2);

/// The separator in a host.
#[derive(Default)]
pub struct BunriPlugin {
    params: Arc<BunriParams>,
    /// Main thread's half, while active.
    separation: Option<Separation>,
    /// Audio thread's half, while active.
    link: Option<AudioLink>,
    /// Whether the user has been told why this activation is dry.
    told_dry: bool,
}

impl BunriPlugin {
    /// Whether stems are made, and if not, why; `None` while inactive.
    pub fn condition(&mut self) -> Option<&Condition> {
        self.separation.as_mut().map(Separation::condition)
    }

    /// Tells the user why the audio is dry, if it is, once for each activation.
    fn tell_if_dry(&mut self) {
        if let Some(Condition::Dry { reason }) = self.separation.as_mut().map(Separation::condition)
            && !self.told_dry
        {
            tell(&format!("audio passes dry: {reason}"));
            self.told_dry = true;
        }
    }
}

impl Plugin for BunriPlugin {
    const NAME: &'static str = "Bunri";
    const VENDOR: &'static str = "Bunri";
    const URL: &'static str = "";
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = &[AudioIOLayout {
        main_input_channels: Some(STEREO),
        main_output_channels: Some(STEREO),
        aux_output_ports: &[STEREO; OUTPUT_PORTS - 1],
        names: PortNames {
            layout: Some("Mix and stems"),
            // nice-plug 0.4.2 names the main output after the main input, so both stay at their
            // defaults, "Input" and "Output".
            aux_outputs: &["Drums", "Bass", "Other", "Vocals"],
            ..PortNames::const_default()
        },
        ..AudioIOLayout::const_default()
    }];

    type Editor = ();
    type SysExMessage = ();
    type BackgroundTask = ();

    fn params(&self) -> Arc<dyn Params> {
        self.params.clone()
    }

    /// Main thread. Opens the engine and the model: nothing before this does, so that a scan stays
    /// cheap. Never fails: without a model the audio passes dry.
    fn activate(
        &mut self,
        _audio_io_layout: &AudioIOLayout,
        buffers: &BufferConfig,
        context: &mut impl ActivateContext<Self>,
    ) -> bool {
        self.deactivate();
        let host = HostSetup {
            rate_hz: buffers.sample_rate.round() as u32,
            max_block_frames: buffers.max_buffer_size as usize,
            offline: buffers.process_mode == ProcessMode::Offline,
        };
        let (separation, link) = Separation::start(host, open_model);
        context.set_latency_samples(separation.latency_frames() as u32);
        self.separation = Some(separation);
        self.link = Some(link);
        self.told_dry = false;
        self.tell_if_dry();
        true
    }

    /// Main thread. Ends the worker.
    fn deactivate(&mut self) {
        self.link = None;
        self.tell_if_dry();
        if let Some(separation) = self.separation.take() {
            let counts = separation.counts();
            if counts != Counts::default() {
                tell(&describe(counts));
            }
        }
    }

    /// Real-time safe.
    fn reset(&mut self) {
        if let Some(link) = &mut self.link {
            link.reset();
        }
    }

    /// Real-time safe, except for waits that harm nobody (see [`AudioLink::process`]).
    fn process(
        &mut self,
        main: &mut Buffer,
        aux: &mut AuxiliaryBuffers,
        _context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        let Some(link) = &mut self.link else {
            return ProcessStatus::Error("processed before activation");
        };
        let [left, right] = main.as_slice() else {
            return ProcessStatus::Error("the main bus is not stereo");
        };
        let [drums, bass, other, vocals] = &mut *aux.outputs else {
            return ProcessStatus::Error("not every stem has a bus");
        };
        let [
            [drums_left, drums_right],
            [bass_left, bass_right],
            [other_left, other_right],
            [vocals_left, vocals_right],
        ] = [
            drums.as_slice(),
            bass.as_slice(),
            other.as_slice(),
            vocals.as_slice(),
        ]
        else {
            return ProcessStatus::Error("a stem's bus is not stereo");
        };
        let controls = Controls {
            stem_gains: self.params.stem_gains(),
            bypass: self.params.bypass.value(),
        };
        link.process(
            [left, right],
            [
                [drums_left, drums_right],
                [bass_left, bass_right],
                [other_left, other_right],
                [vocals_left, vocals_right],
            ],
            controls,
        );
        // The host goes on calling although its input is silent: what it last sent is on the way.
        ProcessStatus::Tail(link.latency_frames() as u32)
    }
}

/// Tells the user something: on standard error, the only place there is without an editor. Main
/// thread.
fn tell(message: &str) {
    eprintln!("Bunri: {message}");
}

/// Sums up an activation that did not go well.
fn describe(counts: Counts) -> String {
    let Counts {
        dropouts,
        late_frames,
        restarts,
    } = counts;
    format!(
        "the model was too slow for this machine: {dropouts} dropouts, {late_frames} frames of \
         silence in them, {restarts} fresh starts"
    )
}

/// The engine's own model, or the one that [`MODEL_VARIABLE`] names. Worker thread; blocks.
fn open_model() -> Result<EngineModel, String> {
    let source = match std::env::var_os(MODEL_VARIABLE) {
        Some(path) if !path.is_empty() => ModelSource::File(PathBuf::from(path)),
        _ => ModelSource::default(),
    };
    Engine::global()
        .and_then(|engine| engine.open(&source, &OpenOptions::default()))
        .map_err(|error| error.to_string())
}

impl ClapPlugin for BunriPlugin {
    // Frozen: hosts find saved plugins by it, and the VST3 class id is derived from it.
    const CLAP_ID: &'static str = "org.bunri.bunri";
    const CLAP_DESCRIPTION: Option<&'static str> =
        Some("Takes music apart while it plays: drums, bass, other and vocals");
    const CLAP_MANUAL_URL: Option<&'static str> = None;
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] = &[
        ClapFeature::AudioEffect,
        ClapFeature::Stereo,
        ClapFeature::Utility,
    ];
}

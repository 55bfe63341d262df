//! The plugin as nice-plug sees it: buses, parameters and the lifecycle.

use std::num::NonZeroU32;
use std::sync::Arc;

use bunri_stream::engine::EngineModel;
use nice_plug::prelude::*;

use crate::conductor::Conductor;
use crate::editor::BunriEditor;
use crate::exchange::{Counts, HostSetup, STEMS};
use crate::host_side::{HostSide, Introduction};
use crate::link::AudioLink;
use crate::monitor::{Monitor, Phase};
use crate::opener;
use crate::params::BunriParams;

/// Main bus and stem buses.
pub const OUTPUT_PORTS: usize = 1 + STEMS;

const MONO: NonZeroU32 = new_nonzero_u32(1);
const STEREO: NonZeroU32 = new_nonzero_u32(2);

/// The separator in a host.
pub struct BunriPlugin {
    params: Arc<BunriParams>,
    monitor: Arc<Monitor>,
    conductor: Arc<Conductor<EngineModel>>,
    host_side: Arc<HostSide>,
    /// Audio thread's half, while active.
    link: Option<AudioLink>,
    /// The phase that the user was told about.
    told: Phase,
    /// Whether both channels of the input are the first one.
    mono: bool,
}

impl Default for BunriPlugin {
    fn default() -> Self {
        let params = Arc::new(BunriParams::default());
        let monitor = Arc::new(Monitor::default());
        let conductor = Conductor::new(&params.settings, &monitor, opener::open);
        let host_side = Arc::new(HostSide::default());
        let restart = Arc::clone(&host_side);
        conductor.restart_by(move || restart.ask_for_restart());
        Self {
            params,
            monitor,
            conductor,
            host_side,
            link: None,
            told: Phase::Inactive,
            mono: false,
        }
    }
}

impl Drop for BunriPlugin {
    fn drop(&mut self) {
        self.conductor.close();
    }
}

impl BunriPlugin {
    /// What there is to see of this instance, for as long as anybody looks.
    #[must_use]
    pub fn monitor(&self) -> Arc<Monitor> {
        Arc::clone(&self.monitor)
    }

    /// The parameters, as an editor wants them.
    #[must_use]
    pub fn shared_params(&self) -> Arc<BunriParams> {
        Arc::clone(&self.params)
    }

    /// Tells the user why the audio is dry, if it is, once for each reason.
    fn tell_if_dry(&mut self) {
        self.told = self.monitor.status().phase.clone();
        if let Phase::Dry { reason } = &self.told {
            tell(&format!("audio passes dry: {reason}"));
        }
    }
}

/// A bus layout with so many channels in; always a stereo main output and stereo stems, so that
/// what is routed behind the plugin stays as it is.
const fn layout(input_channels: NonZeroU32, name: &'static str) -> AudioIOLayout {
    AudioIOLayout {
        main_input_channels: Some(input_channels),
        main_output_channels: Some(STEREO),
        aux_output_ports: &[STEREO; OUTPUT_PORTS - 1],
        names: PortNames {
            layout: Some(name),
            // nice-plug 0.4.2 names the main output after the main input, so both stay at their
            // defaults, "Input" and "Output".
            aux_outputs: &["Drums", "Bass", "Other", "Vocals"],
            ..PortNames::const_default()
        },
        ..AudioIOLayout::const_default()
    }
}

impl Plugin for BunriPlugin {
    const NAME: &'static str = "Bunri";
    const VENDOR: &'static str = "Bunri";
    const URL: &'static str = "";
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = &[
        layout(STEREO, "Mix and stems"),
        layout(MONO, "Mono in, mix and stems"),
    ];

    /// Splits the host's block where a parameter changes.
    const SAMPLE_ACCURATE_AUTOMATION: bool = true;

    type Editor = BunriEditor;
    type SysExMessage = ();
    type BackgroundTask = Introduction;

    fn task_executor(&mut self) -> TaskExecutor<Self> {
        let host_side = Arc::clone(&self.host_side);
        Box::new(move |Introduction::Introduce(sender)| {
            let _ = sender.try_send(Arc::clone(&host_side));
        })
    }

    fn params(&self) -> Arc<dyn Params> {
        self.params.clone()
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<BunriEditor> {
        BunriEditor::new(self.shared_params(), self.monitor())
    }

    /// Main thread. Opens the engine and the model: nothing before this does, so that a scan stays
    /// cheap. Never fails: without a model the audio passes dry.
    fn activate(
        &mut self,
        audio_io_layout: &AudioIOLayout,
        buffers: &BufferConfig,
        _context: &mut impl ActivateContext<Self>,
    ) -> bool {
        self.deactivate();
        let host = HostSetup {
            rate_hz: buffers.sample_rate.round() as u32,
            max_block_frames: buffers.max_buffer_size as usize,
            offline: buffers.process_mode == ProcessMode::Offline,
        };
        self.mono = audio_io_layout.main_input_channels == Some(MONO);
        let link = self.conductor.activate(host);
        // The fence tells the host; see `host_side` for why not through the context.
        self.host_side.set_latency_frames(link.latency_frames());
        self.link = Some(link);
        self.tell_if_dry();
        true
    }

    /// Main thread. Ends the worker.
    fn deactivate(&mut self) {
        if self.link.take().is_none() {
            return;
        }
        // What was not so when it was activated: a model that broke while it played.
        if self.told != self.monitor.status().phase {
            self.tell_if_dry();
        }
        let counts = self.monitor.counts();
        if counts != Counts::default() {
            tell(&describe(counts));
        }
        self.conductor.deactivate();
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
        if self.mono {
            let pairs = right.iter_mut().zip(left.iter());
            pairs.for_each(|(right, left)| *right = *left);
        }
        link.process(
            [left, right],
            [
                [drums_left, drums_right],
                [bass_left, bass_right],
                [other_left, other_right],
                [vocals_left, vocals_right],
            ],
            &self.params.controls(),
            self.host_side.block(),
        );
        // The host goes on calling although its input is silent: what it last sent is on the way.
        ProcessStatus::Tail(link.latency_frames() as u32)
    }
}

/// Tells the user something: on standard error, for hosts that show it and users who have no
/// editor open. Main thread.
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

//! The plugin as nice-plug sees it: buses, parameters and the lifecycle.

use std::num::NonZeroU32;
use std::sync::Arc;

use nice_plug::prelude::*;

use crate::params::BunriParams;

/// Main bus and four stem buses.
pub const OUTPUT_PORTS: usize = 5;

const STEREO: NonZeroU32 = new_nonzero_u32(2);

/// The separator in a host.
#[derive(Default)]
pub struct BunriPlugin {
    params: Arc<BunriParams>,
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

    fn process(
        &mut self,
        _main: &mut Buffer,
        _aux: &mut AuxiliaryBuffers,
        _context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        ProcessStatus::Normal
    }
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

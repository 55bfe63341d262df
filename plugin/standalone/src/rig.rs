//! The plugin, and the file that plays through it.

use std::sync::Arc;

use bunri_plugin::monitor::Monitor;
use bunri_plugin::params::BunriParams;
use bunri_plugin::plugin::BunriPlugin;
use nice_plug::context::PluginApi;
use nice_plug::context::process::SendEventError;
use nice_plug::prelude::*;

use crate::deck::{Picked, Pickup};
use crate::foreign::{self, Blocks};

/// The longest block that the plugin gets, in frames.
pub(crate) const BLOCK_FRAMES: usize = 1024;

/// A plugin that a file plays through. Goes from the control thread to the audio thread and back.
pub(crate) struct Rig {
    plugin: BunriPlugin,
    pickup: Pickup,
    blocks: Blocks,
    host: Standalone,
    rate_hz: u32,
}

impl Rig {
    /// A plugin, not yet active.
    pub(crate) fn new(pickup: Pickup, rate_hz: u32) -> Self {
        Self {
            plugin: BunriPlugin::default(),
            pickup,
            blocks: Blocks::new(BLOCK_FRAMES),
            host: Standalone(Transport::new(rate_hz as f32)),
            rate_hz,
        }
    }

    pub(crate) fn params(&self) -> Arc<BunriParams> {
        self.plugin.shared_params()
    }

    pub(crate) fn monitor(&self) -> Arc<Monitor> {
        self.plugin.monitor()
    }

    /// Activates the plugin, anew if it is active. Control thread; blocks.
    pub(crate) fn activate(&mut self) {
        self.plugin.deactivate();
        let buffers = BufferConfig {
            sample_rate: self.rate_hz as f32,
            min_buffer_size: None,
            max_buffer_size: BLOCK_FRAMES as u32,
            process_mode: ProcessMode::Realtime,
        };
        let layout = &BunriPlugin::AUDIO_IO_LAYOUTS[0];
        self.plugin.activate(layout, &buffers, &mut self.host);
        self.plugin.reset();
    }

    /// Plays the next frames of the main bus. Audio thread; real-time safe.
    pub(crate) fn play(&mut self, left: &mut [f32], right: &mut [f32]) {
        let lefts = left.chunks_mut(BLOCK_FRAMES);
        for (left, right) in lefts.zip(right.chunks_mut(BLOCK_FRAMES)) {
            if self.pickup.fill(left, right) == Picked::Jumped {
                self.plugin.reset();
            }
            foreign::process(
                &mut self.plugin,
                &mut self.blocks,
                left,
                right,
                &mut self.host,
            );
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.plugin.deactivate();
    }
}

/// What the plugin can ask of its host, which is this program: nothing. What it wants shown it tells
/// its monitor.
struct Standalone(Transport);

impl ActivateContext<BunriPlugin> for Standalone {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Standalone
    }

    fn execute(&self, _task: <BunriPlugin as Plugin>::BackgroundTask) {}

    fn set_latency_samples(&self, _samples: u32) {}

    fn set_current_voice_capacity(&self, _capacity: u32) {}
}

impl ProcessContext<BunriPlugin> for Standalone {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Standalone
    }

    fn execute_background(&self, _task: <BunriPlugin as Plugin>::BackgroundTask) {}

    fn execute_gui(&self, _task: <BunriPlugin as Plugin>::BackgroundTask) {}

    fn transport(&self) -> &Transport {
        &self.0
    }

    fn next_event(&mut self) -> Option<PluginNoteEvent<BunriPlugin>> {
        None
    }

    fn try_send_event(
        &mut self,
        event: PluginNoteEvent<BunriPlugin>,
    ) -> Result<(), (PluginNoteEvent<BunriPlugin>, SendEventError)> {
        Err((event, SendEventError::NoOutputBuffer))
    }

    fn set_latency_samples(&self, _samples: u32) {}

    fn request_restart(&self) {}

    fn set_current_voice_capacity(&self, _capacity: u32) {}
}

//! A VST3 host with all five buses.

use std::path::{Path, PathBuf};

use bunri_stream::Planar;
use vst3_host::audio::{BusAudioBuffers, BusDirection, MediaType, SpeakerArrangement};
use vst3_host::plugin::{Plugin, ProcessMode};

use crate::bundle::vst3_library;
use crate::host::{AuxBuses, Clock, Pace, ParameterView, PluginHost, Setup, block_ranges};
use crate::vst3_bare::reported_latency_frames;

/// The plugin in a VST3 host.
pub struct Vst3Host {
    plugin: Plugin,
    library: PathBuf,
    setup: Option<Setup>,
}

impl Vst3Host {
    /// Loads the bundle at `path` and makes an instance of its only effect.
    ///
    /// # Panics
    /// If the bundle cannot be loaded.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        let mut host = vst3_host::Vst3Host::builder()
            .with_process_isolation(false)
            .build()
            .expect("a VST3 host");
        let plugin = host
            .load_plugin(path)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self {
            plugin,
            library: vst3_library(path),
            setup: None,
        }
    }

    /// Chooses so many input channels. Deactivated hosts only.
    ///
    /// # Errors
    /// The plugin declined.
    pub fn choose_input_channels(&mut self, channels: u32) -> Result<(), String> {
        let input = match channels {
            1 => SpeakerArrangement::MONO,
            _ => SpeakerArrangement::STEREO,
        };
        self.plugin
            .set_bus_arrangements(&[input], &[SpeakerArrangement::STEREO; 5])
            .map_err(|error| error.to_string())?;
        let told = self.plugin.bus_arrangements();
        let told = told.map_err(|error| error.to_string())?.inputs;
        if told == [input] {
            Ok(())
        } else {
            Err(format!("asked for {input:?}, and told {told:?}"))
        }
    }

    fn parameter_table(&self) -> Vec<vst3_host::Parameter> {
        self.plugin.get_parameters().expect("parameters")
    }
}

impl PluginHost for Vst3Host {
    fn activate(&mut self, setup: Setup) {
        self.deactivate();
        let mode = match setup.pace {
            Pace::Offline => ProcessMode::Offline,
            Pace::Freewheel | Pace::Live => ProcessMode::Realtime,
        };
        let plugin = &mut self.plugin;
        plugin.set_process_mode(mode).expect("the process mode");
        plugin
            .reconfigure(f64::from(setup.rate_hz), setup.max_block_frames)
            .expect("rate and block size");
        for bus in 1..=4 {
            let active = setup.aux == AuxBuses::Active;
            plugin
                .set_bus_active(MediaType::Audio, BusDirection::Output, bus, active)
                .expect("bus activation");
        }
        plugin.start_processing().expect("start of processing");
        self.setup = Some(setup);
    }

    fn deactivate(&mut self) {
        self.plugin.stop_processing().expect("stop of processing");
    }

    fn latency_frames(&mut self) -> usize {
        reported_latency_frames(&self.library, &self.setup.expect("activated"))
    }

    fn process(&mut self, input: &Planar, blocks: &[usize]) -> Vec<Planar> {
        let setup = self.setup.expect("activated");
        let layout = self.plugin.audio_bus_layout().expect("the bus layout");
        let rate_hz = f64::from(setup.rate_hz);
        let connected = layout.outputs.iter().filter(|bus| bus.active).count();
        let mut outputs = vec![Planar::zeros(2, 0); connected];
        let clock = Clock::start(&setup);
        for (start, frames) in block_ranges(input.frames(), blocks) {
            let mut block = BusAudioBuffers::new(&layout, frames, rate_hz);
            block.inputs[0].channels = input.slice(start, frames).into_channels();
            self.plugin.process_bus_audio(&mut block).expect("process");
            let active = block.outputs.into_iter().filter(|bus| bus.active);
            for (output, bus) in outputs.iter_mut().zip(active) {
                output.append(&Planar::from_channels(bus.channels).expect("one length"));
            }
            clock.wait_until_played(start + frames);
        }
        outputs
    }

    /// VST3 has no call for it: hosts stop and start processing.
    fn reset(&mut self) {
        self.plugin.stop_processing().expect("stop of processing");
        self.plugin.start_processing().expect("start of processing");
    }

    fn save_state(&mut self) -> Vec<u8> {
        self.plugin.save_state().expect("the state saved")
    }

    fn load_state(&mut self, state: &[u8]) -> bool {
        self.plugin.load_state(state).is_ok()
    }

    fn parameters(&mut self) -> Vec<ParameterView> {
        self.parameter_table()
            .into_iter()
            .map(|parameter| {
                let fraction = self.plugin.get_parameter(parameter.id).expect("its value");
                let text = self
                    .plugin
                    .format_parameter(parameter.id, fraction)
                    .expect("its text");
                ParameterView {
                    name: parameter.name,
                    fraction,
                    text,
                }
            })
            .collect()
    }

    fn set_parameter_at(&mut self, name: &str, fraction: f64, frame: usize) {
        let table = self.parameter_table();
        let parameter = table
            .iter()
            .find(|parameter| parameter.name == name)
            .unwrap_or_else(|| panic!("no parameter {name:?} in {table:?}"));
        let id = parameter.id;
        // Both tell the controller; the first is what a host does when somebody turns a knob.
        match frame {
            0 => self.plugin.set_parameter(id, fraction),
            _ => self.plugin.set_parameter_at(id, fraction, frame as i32),
        }
        .expect("the parameter set");
    }

    fn output_names(&mut self) -> Vec<String> {
        crate::vst3_bare::output_names(&self.library)
    }
}

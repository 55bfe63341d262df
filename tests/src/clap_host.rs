//! A CLAP host: main thread, audio thread, all five ports.
#![allow(unsafe_code)] // Loading a foreign library: see the one block.

use std::ffi::CString;
use std::path::Path;

use bunri_stream::Planar;
use clack_extensions::audio_ports::{AudioPortInfoBuffer, PluginAudioPorts};
use clack_extensions::audio_ports_config::{AudioPortsConfigBuffer, PluginAudioPortsConfig};
use clack_extensions::latency::{HostLatency, HostLatencyImpl, PluginLatency};
use clack_extensions::params::{ParamInfoBuffer, PluginParams};
use clack_extensions::render::{PluginRender, RenderMode};
use clack_extensions::state::PluginState;
use clack_host::events::event_types::ParamValueEvent;
use clack_host::prelude::*;

use crate::host::{AuxBuses, Clock, Pace, ParameterView, PluginHost, Setup, block_ranges};

/// The plugin in a CLAP host.
pub struct ClapHost {
    /// Present while active. Before `instance`, so that it goes first.
    processor: Option<PluginAudioProcessor<Handlers>>,
    instance: PluginInstance<Handlers>,
    setup: Option<Setup>,
    /// Frames since activation.
    position: u64,
    /// Parameter changes that wait for the next block: frame, id and plain value.
    changes: Vec<(usize, ClapId, f64)>,
}

struct Handlers;

impl HostHandlers for Handlers {
    type Shared<'a> = Shared;
    type MainThread<'a> = MainThread;
    type AudioProcessor<'a> = ();

    fn declare_extensions(builder: &mut HostExtensions<Self>, _shared: &Shared) {
        builder.register::<HostLatency>();
    }
}

struct Shared;

impl SharedHandler<'_> for Shared {
    // The tests call often enough; a request is no more than a hint.
    fn request_restart(&self) {}
    fn request_process(&self) {}
    fn request_callback(&self) {}
}

struct MainThread;

impl MainThreadHandler<'_> for MainThread {}

impl HostLatencyImpl for MainThread {
    // The latency is asked for after every activation anyway.
    fn changed(&self) {}
}

impl ClapHost {
    /// Loads the library at `path` and makes an instance of its only plugin.
    ///
    /// # Panics
    /// If the library cannot be loaded or has another number of plugins.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        // SAFETY: the library is the plugin under test; what its loading does is what is tested.
        let entry = unsafe { PluginEntry::load(path) }
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let factory = entry.get_plugin_factory().expect("a plugin factory");
        assert_eq!(factory.plugin_count(), 1, "plugins in the bundle");
        let id = factory
            .plugin_descriptor(0)
            .and_then(|descriptor| descriptor.id().map(CString::from))
            .expect("the plugin's id");
        let info = HostInfo::new("Bunri tests", "Bunri", "", "1").expect("no NUL in there");
        let instance = PluginInstance::new(|_| Shared, |_| MainThread, &entry, &id, &info)
            .expect("an instance of the plugin");
        Self {
            processor: None,
            instance,
            setup: None,
            position: 0,
            changes: Vec::new(),
        }
    }

    /// Says that an offline render begins now, without another activation.
    ///
    /// # Panics
    /// If the plugin refuses.
    pub fn say_offline(&mut self) {
        let render: PluginRender = self.extension();
        render
            .set(&self.instance.plugin_handle(), RenderMode::Offline)
            .expect("the render mode");
    }

    /// Stops processing; it starts with the next block.
    ///
    /// # Panics
    /// If the host is not active.
    pub fn stop(&mut self) {
        let processor = self.processor.as_mut().expect("activated");
        processor.ensure_processing_stopped();
    }

    /// Chooses the port layout with so many input channels. Deactivated hosts only.
    ///
    /// # Errors
    /// What the plugin has instead.
    pub fn choose_input_channels(&mut self, channels: u32) -> Result<(), String> {
        let layouts: PluginAudioPortsConfig = self.extension();
        let plugin = self.instance.plugin_handle();
        let mut found = Vec::new();
        for index in 0..layouts.count(&plugin) {
            let mut buffer = AudioPortsConfigBuffer::new();
            let layout = layouts.get(&plugin, index, &mut buffer).expect("a layout");
            let input = layout.main_input.map_or(0, |port| port.channel_count);
            if input == channels {
                return layouts
                    .select(&plugin, layout.id)
                    .map_err(|error| error.to_string());
            }
            found.push(input);
        }
        Err(format!("layouts with {found:?} input channels"))
    }

    fn extension<
        E: clack_host::extensions::prelude::Extension<
                ExtensionSide = clack_host::extensions::prelude::PluginExtensionSide,
            >,
    >(
        &mut self,
    ) -> E {
        self.instance
            .plugin_handle()
            .get_extension()
            .unwrap_or_else(|| panic!("the plugin has no {}", std::any::type_name::<E>()))
    }

    /// Every parameter's id, ends and view.
    fn parameter_table(&mut self) -> Vec<(ClapId, f64, f64, ParameterView)> {
        let params: PluginParams = self.extension();
        let plugin = self.instance.plugin_handle();
        (0..params.count(&plugin))
            .map(|index| {
                let mut buffer = ParamInfoBuffer::new();
                let info = params
                    .get_info(&plugin, index, &mut buffer)
                    .expect("a parameter");
                let value = params.get_value(&plugin, info.id).expect("its value");
                let mut text = [0; 256];
                let text = params.value_to_text(&plugin, info.id, value, &mut text);
                let view = ParameterView {
                    name: String::from_utf8_lossy(info.name).into_owned(),
                    fraction: (value - info.min_value) / (info.max_value - info.min_value),
                    text: String::from_utf8_lossy(text.expect("its text")).into_owned(),
                };
                (info.id, info.min_value, info.max_value, view)
            })
            .collect()
    }
}

impl PluginHost for ClapHost {
    fn activate(&mut self, setup: Setup) {
        self.deactivate();
        let render: PluginRender = self.extension();
        let mode = match setup.pace {
            Pace::Offline => RenderMode::Offline,
            Pace::Freewheel | Pace::Live => RenderMode::Realtime,
        };
        render
            .set(&self.instance.plugin_handle(), mode)
            .expect("the render mode");
        let configuration = PluginAudioConfiguration {
            sample_rate: f64::from(setup.rate_hz),
            min_frames_count: 1,
            max_frames_count: setup.max_block_frames as u32,
        };
        let processor = self
            .instance
            .activate(|_, _| (), configuration)
            .expect("activation");
        self.processor = Some(processor.into());
        self.setup = Some(setup);
        self.position = 0;
    }

    fn deactivate(&mut self) {
        if let Some(processor) = self.processor.take() {
            self.instance.deactivate(processor.into_stopped());
        }
    }

    fn latency_frames(&mut self) -> usize {
        let latency: PluginLatency = self.extension();
        latency.get(&self.instance.plugin_handle()) as usize
    }

    fn process(&mut self, input: &Planar, blocks: &[usize]) -> Vec<Planar> {
        let Self {
            processor,
            setup,
            position,
            changes,
            ..
        } = self;
        let setup = setup.expect("activated");
        let processor = processor.as_mut().expect("activated");
        let connected = match setup.aux {
            AuxBuses::Active => 5,
            AuxBuses::Inactive => 1,
        };
        // As in a real host, audio has a thread of its own.
        std::thread::scope(|scope| {
            let audio = scope.spawn(move || {
                render(
                    processor, &setup, connected, position, changes, input, blocks,
                )
            });
            audio
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn reset(&mut self) {
        self.processor.as_mut().expect("activated").reset();
    }

    fn save_state(&mut self) -> Vec<u8> {
        let state: PluginState = self.extension();
        let mut bytes = Vec::new();
        state
            .save(&self.instance.plugin_handle(), &mut bytes)
            .expect("the state saved");
        bytes
    }

    fn load_state(&mut self, bytes: &[u8]) -> bool {
        let state: PluginState = self.extension();
        state
            .load(&self.instance.plugin_handle(), &mut &bytes[..])
            .is_ok()
    }

    fn parameters(&mut self) -> Vec<ParameterView> {
        self.parameter_table()
            .into_iter()
            .map(|(_, _, _, view)| view)
            .collect()
    }

    fn set_parameter_at(&mut self, name: &str, fraction: f64, frame: usize) {
        let table = self.parameter_table();
        let (id, min, max, _) = table
            .iter()
            .find(|(_, _, _, view)| view.name == name)
            .unwrap_or_else(|| panic!("no parameter {name:?} in {table:?}"));
        self.changes
            .push((frame, *id, min + fraction * (max - min)));
    }

    fn output_names(&mut self) -> Vec<String> {
        let ports: PluginAudioPorts = self.extension();
        let plugin = self.instance.plugin_handle();
        (0..ports.count(&plugin, false))
            .map(|index| {
                let mut buffer = AudioPortInfoBuffer::new();
                let info = ports
                    .get(&plugin, index, false, &mut buffer)
                    .expect("a port");
                String::from_utf8_lossy(info.name).into_owned()
            })
            .collect()
    }
}

impl Drop for ClapHost {
    fn drop(&mut self) {
        self.deactivate();
    }
}

/// The audio thread's loop.
fn render(
    processor: &mut PluginAudioProcessor<Handlers>,
    setup: &Setup,
    connected: usize,
    position: &mut u64,
    changes: &mut Vec<(usize, ClapId, f64)>,
    input: &Planar,
    blocks: &[usize],
) -> Vec<Planar> {
    const PORTS: usize = 5;
    let processor = processor
        .ensure_processing_started()
        .expect("start of processing");
    // Output starts as no number at all: a sample that the plugin leaves alone is found out.
    let unwritten = vec![vec![f32::NAN; input.frames()]; 2];
    let mut outputs = vec![unwritten; connected];
    let mut input = input.clone().into_channels();
    let mut input_ports = AudioPorts::with_capacity(input.len(), 1);
    let mut output_ports = AudioPorts::with_capacity(2 * PORTS, PORTS);
    let clock = Clock::start(setup);

    for (start, frames) in block_ranges(input[0].len(), blocks) {
        let range = start..start + frames;
        let mut events = EventBuffer::new();
        // CLAP wants them in order.
        changes.sort_by_key(|&(frame, ..)| frame);
        for (frame, id, value) in changes.drain(..) {
            let frame = frame.min(frames - 1) as u32;
            events.push(&ParamValueEvent::new(frame, id, Pckn::match_all(), value));
        }
        let audio_in = input_ports.with_input_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_input_only(
                input
                    .iter_mut()
                    .map(|channel| InputChannel::variable(&mut channel[range.clone()])),
            ),
        }]);
        let mut buses: Vec<Vec<&mut [f32]>> = outputs
            .iter_mut()
            .map(|bus| {
                bus.iter_mut()
                    .map(|channel| &mut channel[range.clone()])
                    .collect()
            })
            .collect();
        // A port that is not connected has no channels.
        buses.resize_with(PORTS, Vec::new);
        let mut audio_out =
            output_ports.with_output_buffers(buses.into_iter().map(|bus| AudioPortBuffer {
                latency: 0,
                channels: AudioPortBufferType::f32_output_only(bus),
            }));
        processor
            .process(
                &audio_in,
                &mut audio_out,
                &InputEvents::from_buffer(&events),
                &mut OutputEvents::void(),
                Some(*position),
                None,
            )
            .expect("process");
        *position += frames as u64;
        clock.wait_until_played(start + frames);
    }
    outputs
        .into_iter()
        .map(|bus| Planar::from_channels(bus).expect("one length"))
        .collect()
}

//! What a host has to do unsafely: lend the plugin its buffers, and set its parameters.

// nice-plug asks hosts to set the slices of its buffers and the values of its parameters through
// functions that trust them with lifetimes; everything else in this program is safe.
#![allow(unsafe_code)]

use std::sync::Arc;

use bunri_plugin::params::BunriParams;
use bunri_plugin::plugin::{BunriPlugin, OUTPUT_PORTS};
use nice_plug::context::PluginApi;
use nice_plug::context::gui::{GuiContext, GuiContextInner};
use nice_plug::params::internals::ParamPtr;
use nice_plug::prelude::{AuxiliaryBuffers, Buffer, Plugin, PluginState, ProcessContext};

const CHANNELS: usize = 2;

/// Audio of all buses, main bus first, and nice-plug's view of it.
pub(crate) struct Blocks {
    audio: [[Vec<f32>; CHANNELS]; OUTPUT_PORTS],
    /// Empty slices, but for the time of a call.
    buffers: [Buffer<'static>; OUTPUT_PORTS],
}

impl Blocks {
    /// Room for so many frames.
    pub(crate) fn new(max_frames: usize) -> Self {
        let mut blocks = Self {
            audio: std::array::from_fn(|_| std::array::from_fn(|_| vec![0.0; max_frames])),
            buffers: std::array::from_fn(|_| Buffer::default()),
        };
        blocks.empty();
        blocks
    }

    /// Forgets the slices; allocates only the first time.
    fn empty(&mut self) {
        for buffer in &mut self.buffers {
            // SAFETY: empty slices are always valid.
            unsafe {
                buffer.set_slices(0, |slices| {
                    slices.resize_with(CHANNELS, Default::default);
                    slices.fill_with(Default::default);
                });
            }
        }
    }
}

/// Plays a block through the plugin in place: its main bus takes the place of the input. Longer
/// blocks than there is room for are left as they are. Real-time safe.
pub(crate) fn process(
    plugin: &mut BunriPlugin,
    blocks: &mut Blocks,
    left: &mut [f32],
    right: &mut [f32],
    context: &mut impl ProcessContext<BunriPlugin>,
) {
    let frames = left.len();
    let [[main_left, main_right], ..] = &mut blocks.audio;
    if frames > main_left.len() || frames != right.len() {
        return;
    }
    main_left[..frames].copy_from_slice(left);
    main_right[..frames].copy_from_slice(right);
    for (buffer, channels) in blocks.buffers.iter_mut().zip(&mut blocks.audio) {
        // SAFETY: the slices are within their vectors, each of which is lent once; nobody else
        // touches the vectors until `empty` below has taken the slices back.
        unsafe {
            buffer.set_slices(frames, |slices| {
                for (slice, channel) in slices.iter_mut().zip(channels) {
                    *slice = std::slice::from_raw_parts_mut(channel.as_mut_ptr(), frames);
                }
            });
        }
    }
    let [main, stems @ ..] = &mut blocks.buffers;
    let mut aux = AuxiliaryBuffers {
        inputs: &mut [],
        outputs: lent(stems),
    };
    plugin.process(main, &mut aux, context);
    blocks.empty();
    let [[main_left, main_right], ..] = &blocks.audio;
    left.copy_from_slice(&main_left[..frames]);
    right.copy_from_slice(&main_right[..frames]);
}

/// The same buffers for the time of one call, as the plugin's interface wants them.
fn lent<'call>(buffers: &'call mut [Buffer<'static>]) -> &'call mut [Buffer<'call>] {
    // SAFETY: only the lifetime is shortened. What the plugin might put into the buffers is thrown
    // away by `Blocks::empty` before the call's time is over.
    unsafe { std::mem::transmute::<&mut [Buffer<'static>], &mut [Buffer<'call>]>(buffers) }
}

/// The way from the editor to the plugin's parameters.
pub(crate) fn gui_context(params: Arc<BunriParams>, rate_hz: u32) -> GuiContext {
    GuiContext::new(Arc::new(Direct {
        _params: params,
        rate_hz,
    }))
}

/// Sets parameters at once: they are atomics, and there is no host that automates them.
struct Direct {
    /// Keeps alive what the editor points at.
    _params: Arc<BunriParams>,
    rate_hz: u32,
}

impl GuiContextInner for Direct {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Standalone
    }

    unsafe fn raw_begin_set_parameter(&self, _param: ParamPtr) {}

    unsafe fn raw_set_parameter_normalized(&self, param: ParamPtr, normalized: f32) {
        // SAFETY: the editor has its pointers from the parameters that `_params` keeps alive, and
        // their values are atomics.
        unsafe {
            param._internal_set_normalized_value(normalized);
            param._internal_update_smoother(self.rate_hz as f32, false);
        }
    }

    unsafe fn raw_end_set_parameter(&self, _param: ParamPtr) {}

    /// The editor never asks.
    fn get_state(&self) -> PluginState {
        PluginState {
            version: String::new(),
            params: Default::default(),
            fields: Default::default(),
        }
    }

    /// The editor never asks.
    fn set_state(&self, _state: PluginState) {}

    /// The control thread sees in the monitor that one is wanted.
    fn request_restart(&self) {}
}

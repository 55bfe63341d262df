//! The reference packages' classes, and which config each one's arguments are.
//!
//! One table per class: its constructor's parameters in order, as files may give them by position,
//! and where each goes.

use serde_json::{Value, json};

use crate::network::NetworkConfig;
use crate::parameters::ParameterSpec;

/// One class of a reference package.
#[derive(Debug)]
pub(super) struct Class {
    /// Its names, in whichever module a release keeps it.
    pub(super) names: &'static [&'static str],
    /// As [`NetworkConfig`] names it.
    pub(super) architecture: &'static str,
    /// The constructor's parameters, in order.
    pub(super) parameters: &'static [(&'static str, Goes)],
    /// Where the constructor's defaults are not the config's, as JSON.
    pub(super) defaults: &'static [(&'static str, &'static str)],
    /// The model's parts in the order in which it holds them: quantized weights have no names.
    pub(super) parts: &'static [&'static str],
}

/// Where an argument goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goes {
    /// Into the field of the same name.
    Same,
    /// Into this field.
    To(&'static str),
    /// Into this field, after seconds were multiplied by the sample rate.
    Seconds(&'static str),
    /// Nowhere: it matters in training only.
    Nowhere,
}

use Goes::{Nowhere, Same, Seconds, To};

/// All classes that can be imported.
pub(super) const CLASSES: &[Class] = &[DEMUCS, CONV_TASNET, DEMUCS_V3, HDEMUCS, HTDEMUCS];

const DEMUCS: Class = Class {
    names: &["demucs.model.Demucs"],
    architecture: "demucs",
    parameters: &[
        ("sources", To("stems")),
        ("audio_channels", Same),
        ("channels", Same),
        ("depth", Same),
        ("rewrite", Same),
        ("glu", Same),
        ("rescale", Same),
        ("resample", Same),
        ("kernel_size", Same),
        ("stride", Same),
        ("growth", Same),
        ("lstm_layers", Same),
        ("context", Same),
        ("normalize", Same),
        ("samplerate", To("sample_rate")),
        ("segment_length", To("segment_frames")),
    ],
    // Its 40 seconds are no model's: without a number, the config's 10.
    defaults: &[],
    parts: &["encoder", "decoder", "lstm"],
};

const CONV_TASNET: Class = Class {
    names: &["demucs.tasnet.ConvTasNet"],
    architecture: "conv-tasnet",
    parameters: &[
        ("sources", To("stems")),
        ("N", To("filters")),
        ("L", To("filter_frames")),
        ("B", To("bottleneck_channels")),
        ("H", To("hidden_channels")),
        ("P", To("kernel_size")),
        ("X", To("blocks")),
        ("R", To("repeats")),
        ("audio_channels", Same),
        ("norm_type", To("norm")),
        ("causal", Same),
        ("mask_nonlinear", To("mask")),
        ("samplerate", To("sample_rate")),
        ("segment_length", To("segment_frames")),
    ],
    // The published models have 10.
    defaults: &[("blocks", "8")],
    parts: &["encoder", "separator", "decoder"],
};

const DEMUCS_V3: Class = Class {
    names: &["demucs.demucs.Demucs"],
    architecture: "demucs-v3",
    parameters: &[
        ("sources", To("stems")),
        ("audio_channels", Same),
        ("channels", Same),
        ("growth", Same),
        ("depth", Same),
        ("rewrite", Same),
        ("lstm_layers", Same),
        ("kernel_size", Same),
        ("stride", Same),
        ("context", Same),
        ("gelu", Same),
        ("glu", Same),
        ("norm_starts", Same),
        ("norm_groups", Same),
        ("dconv_mode", Same),
        ("dconv_depth", Same),
        ("dconv_comp", Same),
        ("dconv_attn", Same),
        ("dconv_lstm", Same),
        ("dconv_init", Same),
        ("normalize", Same),
        ("resample", Same),
        ("rescale", Same),
        ("samplerate", To("sample_rate")),
        ("segment", Seconds("segment_frames")),
    ],
    defaults: &[],
    parts: &["encoder", "decoder", "lstm"],
};

/// Of both hybrid classes.
const HYBRID_PARTS: &[&str] = &[
    "encoder",
    "decoder",
    "tencoder",
    "tdecoder",
    "freq_emb",
    "channel_upsampler",
    "channel_downsampler",
    "channel_upsampler_t",
    "channel_downsampler_t",
    "crosstransformer",
];

const HDEMUCS: Class = Class {
    names: &["demucs.hdemucs.HDemucs"],
    architecture: "hdemucs",
    parameters: &[
        ("sources", To("stems")),
        ("audio_channels", Same),
        ("channels", Same),
        ("channels_time", Same),
        ("growth", Same),
        ("nfft", Same),
        // Of Wiener filtering, which the config refuses as a whole.
        ("wiener_iters", Nowhere),
        ("end_iters", Nowhere),
        ("wiener_residual", Nowhere),
        ("cac", Same),
        ("depth", Same),
        ("rewrite", Same),
        ("hybrid", Same),
        ("hybrid_old", Same),
        ("multi_freqs", Same),
        ("multi_freqs_depth", Same),
        ("freq_emb", Same),
        ("emb_scale", Same),
        ("emb_smooth", Same),
        ("kernel_size", Same),
        ("time_stride", Same),
        ("stride", Same),
        ("context", Same),
        ("context_enc", Same),
        ("norm_starts", Same),
        ("norm_groups", Same),
        ("dconv_mode", Same),
        ("dconv_depth", Same),
        ("dconv_comp", Same),
        ("dconv_attn", Same),
        ("dconv_lstm", Same),
        ("dconv_init", Same),
        ("rescale", Same),
        ("samplerate", To("sample_rate")),
        ("segment", Seconds("segment_frames")),
    ],
    defaults: &[],
    parts: HYBRID_PARTS,
};

const HTDEMUCS: Class = Class {
    names: &["demucs.htdemucs.HTDemucs"],
    architecture: "htdemucs",
    parameters: &[
        ("sources", To("stems")),
        ("audio_channels", Same),
        ("channels", Same),
        ("channels_time", Same),
        ("growth", Same),
        ("nfft", Same),
        ("wiener_iters", Nowhere),
        ("end_iters", Nowhere),
        ("wiener_residual", Nowhere),
        ("cac", Same),
        ("depth", Same),
        ("rewrite", Same),
        ("multi_freqs", Same),
        ("multi_freqs_depth", Same),
        ("freq_emb", Same),
        ("emb_scale", Same),
        ("emb_smooth", Same),
        ("kernel_size", Same),
        ("time_stride", Same),
        ("stride", Same),
        ("context", Same),
        ("context_enc", Same),
        ("norm_starts", Same),
        ("norm_groups", Same),
        ("dconv_mode", Same),
        ("dconv_depth", Same),
        ("dconv_comp", Same),
        ("dconv_init", Same),
        ("bottom_channels", Same),
        ("t_layers", Same),
        ("t_emb", Same),
        ("t_hidden_scale", Same),
        ("t_heads", Same),
        ("t_dropout", Nowhere),
        ("t_max_positions", Same),
        ("t_norm_in", Same),
        ("t_norm_in_group", Same),
        ("t_group_norm", Same),
        ("t_norm_first", Same),
        ("t_norm_out", Same),
        ("t_max_period", Same),
        ("t_weight_decay", Nowhere),
        ("t_lr", Nowhere),
        ("t_layer_scale", Same),
        ("t_gelu", Same),
        ("t_weight_pos_embed", Same),
        ("t_sin_random_shift", Same),
        ("t_cape_mean_normalize", Same),
        ("t_cape_augment", Nowhere),
        ("t_cape_glob_loc_scale", Nowhere),
        ("t_sparse_self_attn", Same),
        ("t_sparse_cross_attn", Same),
        // Of sparse attention, which the config refuses as a whole.
        ("t_mask_type", Nowhere),
        ("t_mask_random_seed", Nowhere),
        ("t_sparse_attn_window", Nowhere),
        ("t_global_window", Nowhere),
        ("t_sparsity", Nowhere),
        ("t_auto_sparsity", Nowhere),
        ("t_cross_first", Same),
        ("rescale", Same),
        ("samplerate", To("sample_rate")),
        ("segment", Seconds("segment_frames")),
        ("use_train_segment", Same),
    ],
    defaults: &[],
    parts: HYBRID_PARTS,
};

impl Class {
    /// By the name that a file gives.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        CLASSES.iter().find(|class| class.names.contains(&name))
    }

    /// By the name that a user gives.
    pub(super) fn of_architecture(name: &str) -> Option<&'static Self> {
        CLASSES.iter().find(|class| class.architecture == name)
    }

    /// Names and shapes of the weights in the order in which the reference's model holds them: part
    /// by part, layer by layer. Within a layer it is this crate's order too.
    pub(super) fn module_order(&self, specs: &[ParameterSpec]) -> Vec<(String, Vec<usize>)> {
        let place = |spec: &&ParameterSpec| {
            let mut path = spec.name.split('.');
            let part = path.next().unwrap_or_default();
            let part = self.parts.iter().position(|name| *name == part);
            let layer: Option<u32> = path.next().and_then(|layer| layer.parse().ok());
            // A transformer holds one branch after the other.
            (part, layer, spec.name.contains(".layers_t."))
        };
        let mut specs: Vec<&ParameterSpec> = specs.iter().collect();
        specs.sort_by_key(place);
        let shape = |spec: &ParameterSpec| spec.shape.iter().map(|&n| n as usize).collect();
        let named = specs
            .into_iter()
            .map(|spec| (spec.name.clone(), shape(spec)));
        named.collect()
    }

    /// The config with the constructor's defaults, as JSON with its architecture.
    pub(super) fn base(&self) -> serde_json::Map<String, Value> {
        let mut base = serde_json::Map::new();
        base.insert("architecture".into(), json!(self.architecture));
        for (field, value) in self.defaults {
            base.insert(
                (*field).into(),
                serde_json::from_str(value).unwrap_or_default(),
            );
        }
        base
    }
}

/// A config of JSON.
///
/// # Errors
/// The parser's word: a field of another type, or one that the architecture does not have.
pub(super) fn config_of(
    fields: serde_json::Map<String, Value>,
) -> Result<NetworkConfig, serde_json::Error> {
    serde_json::from_value(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the tables against fields that were renamed since: every one must be the config's.
    #[test]
    fn every_parameter_goes_to_a_field_that_exists() {
        for class in CLASSES {
            let config = config_of(class.base()).unwrap();
            let fields = serde_json::to_value(&config).unwrap();
            let mut reached: Vec<&str> = Vec::new();
            for &(name, goes) in class.parameters {
                let field = match goes {
                    Same => name,
                    To(field) | Seconds(field) => field,
                    Nowhere => continue,
                };
                assert!(
                    fields.get(field).is_some(),
                    "{}: {field}",
                    class.architecture
                );
                reached.push(field);
            }
            let all = fields.as_object().unwrap().keys();
            let missed: Vec<_> = all
                .filter(|field| !reached.contains(&field.as_str()))
                .collect();
            assert_eq!(missed, ["architecture"], "{}", class.architecture);
        }
    }
}

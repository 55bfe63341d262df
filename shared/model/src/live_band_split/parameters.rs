//! Names and shapes of the band-split network's weights.

use super::LiveBandSplitConfig;
use crate::parameters::{Init, LstmShape, ParameterSpec, SpecList};

/// Every weight of a config, in the order of the code tree.
pub(super) fn specs(config: &LiveBandSplitConfig) -> Vec<ParameterSpec> {
    let mut list = SpecList::default();
    let (features, hidden) = (config.features, config.hidden);
    // Real and imaginary parts of every bin and channel.
    let values = |bins: usize| bins * config.audio_channels * 2;
    for (band, &bins) in config.band_bins.iter().enumerate() {
        list.linear(&format!("split.{band}"), features, values(bins));
    }
    let level_shape = [config.band_bins.len(), features];
    list.push("split.level", &level_shape, Init::Normal(0.1));
    for block in 0..config.blocks {
        for (axis, is_bidirectional) in [("time", false), ("bands", true)] {
            let name = format!("blocks.{block}.{axis}");
            norm(&mut list, &format!("{name}.norm"), features);
            let shape = LstmShape {
                inputs: features,
                hidden,
                layers: 1,
                is_bidirectional,
            };
            list.lstm(&format!("{name}.lstm"), shape);
            let outputs = if is_bidirectional { 2 * hidden } else { hidden };
            list.linear(&format!("{name}.linear"), features, outputs);
        }
    }
    norm(&mut list, "mask.norm", features);
    for (band, &bins) in config.band_bins.iter().enumerate() {
        let outputs = values(bins) * config.stems.len();
        list.linear(&format!("mask.{band}"), outputs, features);
    }
    list.into_specs()
}

fn norm(list: &mut SpecList, prefix: &str, features: usize) {
    list.push(format!("{prefix}.weight"), &[features], Init::Constant(1.0));
    list.push(format!("{prefix}.bias"), &[features], Init::Constant(0.0));
}

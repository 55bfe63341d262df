//! Names and shapes of the band-split network's weights.

use super::bands::groups;
use super::{BandSplitConfig, TimeContext};
use crate::parameters::{Init, LstmShape, ParameterSpec, SpecList};

/// Every weight of a config, in the order of the code tree.
pub(super) fn specs(config: &BandSplitConfig) -> Vec<ParameterSpec> {
    let mut list = SpecList::default();
    let (features, hidden) = (config.features, config.hidden);
    for (index, group) in groups(config).into_iter().enumerate() {
        let (name, inputs) = (format!("split.{index}"), group.values);
        let init = Init::Uniform(1.0 / (inputs as f64).sqrt());
        list.push(
            format!("{name}.weight"),
            &[group.bands, inputs, features],
            init,
        );
        list.push(format!("{name}.bias"), &[group.bands, 1, features], init);
    }
    let level_shape = [config.band_bins.len(), 1, features];
    list.push("split.level", &level_shape, Init::Normal(0.1));
    for block in 0..config.blocks {
        let both_ways = config.context == TimeContext::Whole;
        for (axis, is_bidirectional) in [("time", both_ways), ("bands", true)] {
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
    for (index, group) in groups(config).into_iter().enumerate() {
        let (name, outputs) = (format!("mask.{index}"), group.values * config.stems.len());
        // A tenth of torch's default: masks of nothing are nearer to the truth than random ones.
        let init = Init::Uniform(0.1 / (features as f64).sqrt());
        list.push(
            format!("{name}.weight"),
            &[group.bands, features, outputs],
            init,
        );
        list.push(format!("{name}.bias"), &[group.bands, 1, outputs], init);
    }
    list.into_specs()
}

fn norm(list: &mut SpecList, prefix: &str, features: usize) {
    list.push(format!("{prefix}.weight"), &[features], Init::Constant(1.0));
    list.push(format!("{prefix}.bias"), &[features], Init::Constant(0.0));
}

//! Published sizes, and our own default ones, by name: for benches, and for whoever starts a
//! training from one.

use crate::band_split::{BandSplitConfig, TimeContext};
use crate::conv_tasnet::ConvTasNetConfig;
use crate::demucs::DemucsConfig;
use crate::demucs_v3::DemucsV3Config;
use crate::hdemucs::HDemucsConfig;
use crate::htdemucs::HTDemucsConfig;
use crate::live_demucs::LiveDemucsConfig;
use crate::network::NetworkConfig;

/// The names that [`config`] knows.
pub const NAMES: &[&str] = &[
    "conv-tasnet",
    "demucs-v1-64",
    "demucs-v1-100",
    "demucs-v2-48",
    "demucs-v2-64",
    "demucs-v3",
    "hdemucs",
    "htdemucs",
    "htdemucs-6s",
    "band-split",
    "live-band-split",
    "live-demucs",
];

/// The config of a published size.
#[must_use]
pub fn config(name: &str) -> Option<NetworkConfig> {
    Some(match name {
        "conv-tasnet" => NetworkConfig::ConvTasNet(ConvTasNetConfig::default()),
        "demucs-v1-64" => NetworkConfig::Demucs(DemucsConfig::v1(64)),
        "demucs-v1-100" => NetworkConfig::Demucs(DemucsConfig::v1(100)),
        "demucs-v2-48" => NetworkConfig::Demucs(DemucsConfig::v2(48)),
        "demucs-v2-64" => NetworkConfig::Demucs(DemucsConfig::v2(64)),
        "demucs-v3" => NetworkConfig::DemucsV3(DemucsV3Config::default()),
        "hdemucs" => NetworkConfig::HDemucs(HDemucsConfig::default()),
        "htdemucs" => NetworkConfig::HTDemucs(HTDemucsConfig::four_stems()),
        "htdemucs-6s" => NetworkConfig::HTDemucs(HTDemucsConfig::six_stems()),
        "band-split" => NetworkConfig::BandSplit(BandSplitConfig {
            context: TimeContext::Whole,
            ..BandSplitConfig::default()
        }),
        "live-band-split" => NetworkConfig::BandSplit(BandSplitConfig::default()),
        "live-demucs" => NetworkConfig::LiveDemucs(LiveDemucsConfig::default()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_config_that_can_be_built() {
        for name in NAMES {
            let config = config(name).unwrap();
            config.validate().unwrap();
            println!(
                "{name}: {:.1} M parameters",
                config.parameter_count() as f64 / 1e6
            );
        }
    }
}

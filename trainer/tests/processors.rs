//! Every architecture in every precision on processors with fewer instructions than this one has.
//!
//! libtorch and oneDNN read at their start which instructions they may use, so this test program
//! starts itself again for each kind of processor, with [`every_architecture`] as the only test.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

mod songs;

use std::fs;
use std::process::Command;

use bunri_libtorch::{Reduced, autocast};
use bunri_model::{
    BagConfig, BandSplitConfig, Checkpoint, ConvTasNetConfig, DemucsConfig, DemucsV3Config,
    HDemucsConfig, HTDemucsConfig, LiveDemucsConfig, LoadedModel, NetworkConfig, Precision,
    Provenance, TimeContext,
};
use songs::{RATE_HZ, songs, write_song};
use tch::{Device, Kind, Tensor};

/// The most that oneDNN and libtorch's own kernels may use: AVX2 without AVX-512, and neither.
const PROCESSORS: [[(&str, &str); 2]; 2] = [
    [
        ("ONEDNN_MAX_CPU_ISA", "AVX2"),
        ("ATEN_CPU_CAPABILITY", "avx2"),
    ],
    [
        ("ONEDNN_MAX_CPU_ISA", "SSE41"),
        ("ATEN_CPU_CAPABILITY", "default"),
    ],
];

const SEGMENT: usize = 2_048;

fn architectures() -> Vec<(&'static str, NetworkConfig)> {
    let demucs = DemucsConfig {
        channels: 4,
        depth: 2,
        segment_frames: SEGMENT,
        ..DemucsConfig::default()
    };
    let live_demucs = LiveDemucsConfig {
        hidden: 8,
        depth: 2,
        segment_frames: SEGMENT,
        ..LiveDemucsConfig::default()
    };
    let live_band_split = BandSplitConfig {
        window_frames: 256,
        hop_frames: 64,
        band_bins: vec![4, 8, 16, 32, 69],
        features: 8,
        hidden: 8,
        blocks: 1,
        segment_frames: SEGMENT,
        ..BandSplitConfig::default()
    };
    let band_split = BandSplitConfig {
        context: TimeContext::Whole,
        ..live_band_split.clone()
    };
    let conv_tasnet = ConvTasNetConfig {
        filters: 8,
        bottleneck_channels: 8,
        hidden_channels: 8,
        blocks: 2,
        repeats: 1,
        segment_frames: SEGMENT,
        ..ConvTasNetConfig::default()
    };
    let demucs_v3 = DemucsV3Config {
        channels: 4,
        depth: 3,
        norm_starts: 2,
        dconv_attn: 2,
        dconv_lstm: 2,
        segment_frames: SEGMENT,
        ..DemucsV3Config::default()
    };
    let hdemucs = HDemucsConfig {
        channels: 4,
        nfft: 256,
        depth: 4,
        norm_starts: 2,
        dconv_attn: 2,
        dconv_lstm: 2,
        segment_frames: SEGMENT,
        ..HDemucsConfig::default()
    };
    let htdemucs = HTDemucsConfig {
        channels: 4,
        nfft: 512,
        depth: 3,
        dconv_comp: 2.0,
        bottom_channels: 8,
        t_heads: 4,
        t_layers: 2,
        segment_frames: SEGMENT,
        ..HTDemucsConfig::four_stems()
    };
    let bag = BagConfig {
        models: vec![
            NetworkConfig::Demucs(demucs.clone()),
            NetworkConfig::HDemucs(hdemucs.clone()),
        ],
        weights: None,
    };
    vec![
        ("demucs", NetworkConfig::Demucs(demucs)),
        ("live-demucs", NetworkConfig::LiveDemucs(live_demucs)),
        (
            "band-split, live",
            NetworkConfig::BandSplit(live_band_split),
        ),
        ("band-split", NetworkConfig::BandSplit(band_split)),
        ("conv-tasnet", NetworkConfig::ConvTasNet(conv_tasnet)),
        ("demucs-v3", NetworkConfig::DemucsV3(demucs_v3)),
        ("hdemucs", NetworkConfig::HDemucs(hdemucs)),
        ("htdemucs", NetworkConfig::HTDemucs(htdemucs)),
        ("bag", NetworkConfig::Bag(bag)),
    ]
}

/// One step's forward and backward pass, as a training computes them.
fn learn(config: &NetworkConfig, precision: Precision) {
    let network = config.clone().untrained(1, Device::Cpu).unwrap();
    for parameter in network.parameters().values() {
        let _ = parameter.set_requires_grad(true);
    }
    let channels = network.signature().channels as i64;
    let mixture = Tensor::randn([2, channels, SEGMENT as i64], (Kind::Float, Device::Cpu)) * 0.1;
    let forward = || network.forward(&mixture);
    let output = match precision {
        Precision::F32 => forward(),
        Precision::Bf16 => autocast(&mixture, Reduced::Bf16, forward),
        Precision::F16 => autocast(&mixture, Reduced::F16, forward),
    };
    output
        .to_kind(Kind::Float)
        .square()
        .mean(Kind::Float)
        .backward();
    for (name, parameter) in network.parameters() {
        let gradient = parameter.grad();
        assert!(gradient.defined(), "{name} has no gradient");
        assert!(gradient.isfinite().all().int64_value(&[]) == 1, "{name}");
    }
}

/// Separates noise; a reason where the model or the device cannot do it in this precision.
fn separate(config: &NetworkConfig, precision: Precision) -> Result<(), String> {
    let model: LoadedModel = Checkpoint {
        network: config.clone().untrained(1, Device::Cpu).unwrap(),
        provenance: Provenance::default(),
        licence: String::new(),
    }
    .into();
    let reduced = model
        .in_precision(precision)
        .map_err(|error| error.to_string())?;
    let channels = reduced.network.signature().channels as i64;
    let mixture = Tensor::randn([1, channels, SEGMENT as i64], (Kind::Float, Device::Cpu)) * 0.1;
    let output = tch::no_grad(|| reduced.network.forward(&mixture));
    assert!(output.isfinite().all().int64_value(&[]) == 1);
    Ok(())
}

/// A row for each architecture and precision: what can be done with it here.
fn rows() -> Vec<String> {
    let mut rows = Vec::new();
    for (name, config) in architectures() {
        for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
            learn(&config, precision);
            let separates = separate(&config, precision).map_or_else(
                |reason| format!("refused: {reason}"),
                |()| "separates".into(),
            );
            rows.push(format!("| {name} | {precision} | learns | {separates} |"));
        }
    }
    rows
}

/// No test: what the processes of the next one do.
#[test]
fn every_architecture() {
    if PROCESSORS[0]
        .iter()
        .all(|(name, _)| std::env::var_os(name).is_some())
    {
        println!("\n{}", rows().join("\n"));
    }
}

/// Guards processors without AVX-512, where an LSTM under bf16 autocast raised in the first step:
/// what works on this processor works on them, and what is refused is refused for the same reason.
#[test]
fn every_architecture_runs_on_every_processor() {
    let here = rows();
    println!("{}", here.join("\n"));
    for settings in PROCESSORS {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "every_architecture", "--nocapture"])
            .envs(settings)
            .output()
            .unwrap();
        let [said, errors] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{settings:?}: {said}{errors}");
        let there: Vec<_> = said.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(there, here, "{settings:?}");
    }
}

/// Guards the whole program on such processors, discriminators included.
#[test]
fn trainings_in_bf16_run_on_every_processor() {
    let folder = songs();
    write_song(&folder.path().join("held-out/four"), 4);
    let root = folder.path().display();
    for (index, settings) in PROCESSORS.iter().enumerate() {
        let text = format!(
            r#"
output = "{root}/run-{index}"
threads = 1
[card]
data = "sine waves"
licence = "CC0-1.0"
[compute]
precision = "bf16"
[model]
architecture = "live-demucs"
hidden = 8
depth = 2
sample_rate = {RATE_HZ}
segment_frames = 2000
[optimiser]
steps = 2
batch = 2
[validation]
segments_per_song = 2
[[data.train]]
path = "{root}/train"
[[data.valid]]
path = "{root}/valid"
[[data.held_out]]
path = "{root}/held-out"
[adversarial]
discriminators = [
    {{ kind = "spectral", windows = [256], filters = 4 }},
    {{ kind = "context", windows = [256], filters = 4 }},
]
"#
        );
        let config = folder.path().join(format!("{index}.toml"));
        fs::write(&config, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_trainer"))
            .arg("train")
            .arg("--config")
            .arg(&config)
            .envs(*settings)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{settings:?}: {said}");
    }
}

//! `trainer info`: what a model file is, and how late it is in each mode.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use bunri_model::{LoadedModel, Network, NetworkConfig, Provenance, Separator, SharedWeights};
use bunri_stream::engine::ModelSource;
use bunri_stream::{Mode, StemModel};
use serde::Serialize;
use tch::Device;

use crate::json_file::JsonFile;
use crate::model::{DEFAULT, architecture_of, bytes_of, source_of};
use crate::table::Table;

/// Command line of `trainer info`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Model file, or `studio` or `live` for a model that this program was built with.
    #[arg(default_value = DEFAULT)]
    model: PathBuf,
    #[command(flatten)]
    json: JsonFile,
}

/// Overlaps that the latency of windowed models is given for, beside the studio modes: the least that
/// sounds well, and the default.
const OVERLAPS: [f64; 2] = [0.25, 0.75];

/// What is said of a model.
#[derive(Debug, Serialize)]
struct Info {
    file: String,
    bytes: usize,
    architecture: String,
    /// Of networks of our own.
    config: Option<NetworkConfig>,
    /// Trained values, where the file tells.
    parameters: Option<usize>,
    warning: Option<&'static str>,
    stems: Vec<String>,
    channels: usize,
    sample_rate_hz: u32,
    licence: String,
    provenance: Provenance,
    modes: Vec<ModeInfo>,
}

/// A way to stream it.
#[derive(Debug, Serialize)]
struct ModeInfo {
    name: String,
    chunk_frames: usize,
    hop_frames: usize,
    lookahead_frames: usize,
    /// What comes out is this much later than what went in; without the time to compute it.
    latency_frames: usize,
    chunk_ms: f64,
    hop_ms: f64,
    lookahead_ms: f64,
    latency_ms: f64,
}

/// Runs the subcommand.
///
/// # Errors
/// A file that cannot be read or is no model.
pub fn run(mut args: Args) -> Result<()> {
    if args.model == Path::new(DEFAULT)
        && let Some(model) = args.json.take_input(is_model)
    {
        args.model = model;
    }
    args.json.check()?;
    let file = args.model.display().to_string();
    let source = source_of(&args.model, Mode::default());
    let bytes = bytes_of(&source)?.len();
    let model = LoadedModel::open(&source, Device::Cpu).with_context(|| {
        format!("model {file} (files of other programs: see trainer import --help)")
    })?;
    let info = describe(file, bytes, model)?;
    args.json.deliver(&info, &text(&info))
}

fn describe(file: String, bytes: usize, model: LoadedModel) -> Result<Info> {
    let config = model.config().cloned();
    let architecture = architecture_of(&model);
    let parameters = model.parameters;
    let warning = model.warning;
    let LoadedModel {
        network,
        provenance,
        licence,
        ..
    } = model;
    let signature = network.signature();
    Ok(Info {
        file,
        bytes,
        architecture,
        parameters,
        config,
        warning,
        stems: signature.stems,
        channels: signature.channels,
        sample_rate_hz: signature.rate_hz,
        licence,
        provenance,
        modes: modes(network)?,
    })
}

/// Causal models have one mode, windowed ones several; those that leave the
/// network too little context are left out.
fn modes(network: Box<dyn Network>) -> Result<Vec<ModeInfo>> {
    let is_causal = network.causal().is_some();
    let weights = Arc::new(SharedWeights::new(network));
    let studio = Mode::offered().filter(|&mode| mode != Mode::Live);
    let possible: Vec<Mode> = match is_causal {
        true => vec![Mode::Live],
        false => studio.chain(OVERLAPS.map(Mode::Overlap)).collect(),
    };
    let mut modes = Vec::new();
    for mode in possible {
        let Ok(separator) = Separator::new(Arc::clone(&weights), mode) else {
            continue;
        };
        let spec = separator.spec();
        let ms = |frames: usize| 1e3 * frames as f64 / f64::from(spec.rate_hz);
        modes.push(ModeInfo {
            name: mode.to_string(),
            chunk_frames: spec.chunk_frames,
            hop_frames: spec.hop_frames,
            lookahead_frames: spec.lookahead_frames,
            latency_frames: spec.latency_frames(),
            chunk_ms: ms(spec.chunk_frames),
            hop_ms: ms(spec.hop_frames),
            lookahead_ms: ms(spec.lookahead_frames),
            latency_ms: ms(spec.latency_frames()),
        });
    }
    Ok(modes)
}

/// Whether a name is rather that of a model to read than of JSON to write.
fn is_model(path: &Path) -> bool {
    let is_file = path.is_file() && path.extension().is_none_or(|end| end != "json");
    is_file || matches!(source_of(path, Mode::default()), ModelSource::BuiltIn(_))
}

fn text(info: &Info) -> String {
    let mut all = format!("{}\n", info.file);
    let mut line = |name: &str, text: String| all += &format!("  {name:<13} {text}\n");
    line("architecture", info.architecture.clone());
    line("stems", info.stems.join(", "));
    line(
        "audio",
        format!("{} channels at {} Hz", info.channels, info.sample_rate_hz),
    );
    if let Some(parameters) = info.parameters {
        let millions = parameters as f64 / 1e6;
        line("parameters", format!("{parameters} ({millions:.1} M)"));
    }
    line(
        "file",
        format!("{} bytes ({:.1} MB)", info.bytes, info.bytes as f64 / 1e6),
    );
    line("licence", info.licence.clone());
    if let Some(warning) = info.warning {
        line("warning", warning.to_owned());
    }
    let Provenance {
        data,
        steps,
        seed,
        metrics,
        notes,
    } = &info.provenance;
    line("trained on", data.clone());
    if *steps > 0 {
        line("training", format!("{steps} steps, seed {seed}"));
    }
    for (name, value) in metrics {
        line("figure", format!("{name}: {value:.3}"));
    }
    for (name, value) in notes {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let mut short: String = text.chars().take(100).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        line("note", format!("{name}: {short}"));
    }
    let cell = |frames: usize, ms: f64| format!("{ms:.1} ms ({frames})");
    let rows = info.modes.iter().map(|mode| {
        vec![
            mode.name.clone(),
            cell(mode.chunk_frames, mode.chunk_ms),
            cell(mode.hop_frames, mode.hop_ms),
            cell(mode.lookahead_frames, mode.lookahead_ms),
            cell(mode.latency_frames, mode.latency_ms),
        ]
    });
    let latencies = Table {
        title: "Latency in milliseconds and frames, without the time that computing takes".into(),
        words: 1,
        header: ["mode", "chunk", "hop", "lookahead", "latency"]
            .map(String::from)
            .to_vec(),
        rows: rows.collect(),
    };
    format!(
        "{all}
{latencies}"
    )
}

//! `trainer import`: models of the reference packages, as people download them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use bunri_model::import::{Hints, Imported, import};
use bunri_model::{Checkpoint, NetworkConfig};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tch::Device;

use crate::bag::together;
use crate::export::StorageArg;
use crate::output::{eprint_line, print_line};
use crate::output_file::check_output;

/// Command line of `trainer import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Model files: .th of demucs 2 to 4, .safetensors of demucs 4.1. Several are a bag, whose
    /// models are averaged; so is a bag's .yaml, which lies beside its models.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to write the model.
    #[arg(short, long)]
    output: PathBuf,
    /// What the weights are of, where a file holds nothing else: demucs (v1 and v2), conv-tasnet,
    /// demucs-v3, hdemucs or htdemucs.
    #[arg(long, value_name = "NAME")]
    architecture: Option<String>,
    /// Stem names in the model's order, e.g. drums,bass,other,vocals, where the file does not say.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    stems: Vec<String>,
    /// A field of the model's config, as in a training config, e.g. resample=false: where the file
    /// does not say, or is wrong.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Licence of the weights, as their publisher says.
    #[arg(long, default_value = UNKNOWN_LICENCE)]
    licence: String,
    /// How to store the weights.
    #[arg(long, value_enum, default_value_t = StorageArg::F32)]
    storage: StorageArg,
}

const UNKNOWN_LICENCE: &str = "unknown: imported; ask who published the weights";

/// A bag as demucs 4 describes it.
#[derive(Debug, Deserialize)]
struct Bag {
    /// Signatures: what the models' file names begin with.
    models: Vec<String>,
    /// `[models][stems]`.
    weights: Option<Vec<Vec<f64>>>,
    /// Seconds of a chunk, for all.
    segment: Option<f64>,
}

/// Runs the subcommand.
///
/// # Errors
/// A file that cannot be read, or that is no model of a known kind.
pub fn run(args: Args) -> Result<()> {
    let hints = Hints {
        architecture: args.architecture,
        fields: fields(&args.stems, &args.set)?,
    };
    let bag = match &args.files[..] {
        [file] if file.extension().is_some_and(|end| end == "yaml") => Some(read_bag(file)?),
        _ => None,
    };
    let (files, weights, segment) = match bag {
        Some((files, bag)) => (files, bag.weights, bag.segment),
        None => (args.files, None, None),
    };
    check_output(&args.output, files.iter().map(PathBuf::as_path))?;
    let mut models = Vec::new();
    for file in &files {
        models.push(read(file, &hints)?);
    }
    let mut checkpoint = match models.len() {
        1 if weights.is_none() && segment.is_none() => models.swap_remove(0),
        _ => {
            let configs = models
                .iter()
                .map(|model| with_segment(model.network.config(), segment));
            let configs = configs.collect::<Result<_>>()?;
            together(&models, configs, weights)?
        }
    };
    checkpoint.licence = args.licence;
    checkpoint.save(&args.output, args.storage.into())?;
    let megabytes = std::fs::metadata(&args.output)?.len() as f64 / 1e6;
    print_line!("{}: {megabytes:.1} MB", args.output.display());
    Ok(())
}

fn read(file: &Path, hints: &Hints) -> Result<Checkpoint> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let Imported {
        mut checkpoint,
        dropped,
        was_quantized,
        ..
    } = import(&bytes, hints, Device::Cpu).with_context(|| file.display().to_string())?;
    for argument in dropped {
        eprint_line!(
            "warning: {}: argument {argument} is unknown and left out, as the reference does",
            file.display()
        );
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut note = |key: &str, value: Value| {
        checkpoint.provenance.notes.insert(key.into(), value);
    };
    note("imported_file", json!(name));
    note("imported_sha256", json!(sha256(&bytes)));
    let signature = checkpoint.network.signature();
    print_line!(
        "{name}: {} parameters, {} at {} Hz{}",
        checkpoint.network.config().parameter_count(),
        signature.stems.join(", "),
        signature.rate_hz,
        if was_quantized { ", DiffQ decoded" } else { "" },
    );
    Ok(checkpoint)
}

/// The fields that the user gives. What is no JSON is a text.
fn fields(stems: &[String], set: &[String]) -> Result<Map<String, Value>> {
    let mut fields = Map::new();
    if !stems.is_empty() {
        fields.insert("stems".into(), json!(stems));
    }
    for field in set {
        let (name, value) = field
            .split_once('=')
            .with_context(|| format!("--set {field}: expected FIELD=VALUE"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        fields.insert(name.into(), value);
    }
    Ok(fields)
}

/// A bag's models lie beside it: `SIGNATURE.safetensors`, or `SIGNATURE-CHECKSUM.th`.
fn read_bag(file: &Path) -> Result<(Vec<PathBuf>, Bag)> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let bag: Bag = serde_saphyr::from_str(&text)
        .with_context(|| format!("{} does not describe a bag of models", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    // safetensors before th, whatever the system's order.
    names.sort_by_key(|name| (!name.ends_with(".safetensors"), name.clone()));
    let mut files = Vec::new();
    for signature in &bag.models {
        let is_model = |name: &&String| {
            let rest = name.strip_prefix(signature.as_str());
            rest.is_some_and(|rest| {
                rest == ".safetensors"
                    || rest == ".th"
                    || rest.starts_with('-') && rest.ends_with(".th")
            })
        };
        let Some(name) = names.iter().find(is_model) else {
            bail!(
                "{} needs the model {signature}, and neither {signature}.safetensors nor \
                 {signature}-….th lies beside it",
                file.display()
            );
        };
        files.push(folder.join(name));
    }
    ensure!(!files.is_empty(), "{} names no models", file.display());
    Ok((files, bag))
}

/// The config of a bag's model: its segment is the bag's, but an HTDemucs never sees more than it
/// was trained on.
fn with_segment(config: NetworkConfig, seconds: Option<f64>) -> Result<NetworkConfig> {
    let Some(seconds) = seconds else {
        return Ok(config);
    };
    let frames = (seconds * f64::from(config.signature().rate_hz)) as u64;
    let is_limited = matches!(config, NetworkConfig::HTDemucs(_));
    let mut fields = serde_json::to_value(config)?;
    let own = fields["segment_frames"].as_u64().unwrap_or(0);
    if !is_limited || frames <= own {
        fields["segment_frames"] = json!(frames);
    }
    Ok(serde_json::from_value(fields)?)
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

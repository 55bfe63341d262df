//! One `.safetensors` file that rebuilds its own model: weights, config, provenance, licence.
//!
//! Weights lie under the names of the code tree. The file's metadata holds `bunri.format`,
//! `bunri.architecture`, `bunri.config`, `bunri.provenance` (JSON) and `bunri.licence`. Loading
//! executes nothing and checks every name, shape and size before it allocates a tensor.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use bunri_stream::files::{Content, write_file};
use half::f16;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::hardware::check_room;
use crate::model_bytes;
use crate::network::{ARCHITECTURES, NetworkConfig, Trainable};
use crate::parameters::{ParameterError, check_shapes};

/// Version of the file layout that this code writes and reads.
pub const FORMAT_VERSION: &str = "1";

const FORMAT: &str = "bunri.format";
const ARCHITECTURE: &str = "bunri.architecture";
/// Where [`NetworkConfig`] names its architecture.
const TAG: &str = "architecture";
const CONFIG: &str = "bunri.config";
const PROVENANCE: &str = "bunri.provenance";
const LICENCE: &str = "bunri.licence";

/// The model's card: where its weights come from and how good they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// What it was trained on, in words that name each source and its licence.
    pub data: String,
    /// Optimiser steps.
    pub steps: u64,
    /// Seed of the run.
    pub seed: u64,
    /// Figures by name, e.g. `valid_l1`.
    pub metrics: BTreeMap<String, f64>,
    /// Anything else worth knowing: the training config, the machine, the time it took.
    pub notes: BTreeMap<String, serde_json::Value>,
}

/// A model together with what its file says about it.
#[derive(Debug)]
pub struct Checkpoint {
    /// The network.
    pub network: Box<dyn Trainable>,
    /// Its card.
    pub provenance: Provenance,
    /// Licence of the weights, e.g. `CC-BY-4.0`, with credits where it asks for them.
    pub licence: String,
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// Exact.
    F32,
    /// Half the size, 11 significant bits.
    F16,
}

/// Why a checkpoint could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file could not be opened, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// The file is shorter than its header says.
    #[error(
        "model file is {missing_bytes} bytes short: the download or copy was cut off, fetch it again"
    )]
    Truncated {
        /// Bytes that are not there.
        missing_bytes: u64,
    },
    /// A web page, an archive or the like in place of a model.
    #[error("not a model file but {}: {}", .0.what, .0.advice)]
    OtherContent(Content),
    /// The file is not a safetensors file, or a damaged one.
    #[error("not a model file ({0}): expected .safetensors written by this project's trainer")]
    NotSafetensors(String),
    /// A safetensors file of somebody else.
    #[error("no {0:?} in the file's metadata: it holds tensors, but not a Bunri model")]
    NoMetadata(&'static str),
    /// A newer (or unknown) layout.
    #[error(
        "the model file's format is {0:?}, this version reads {FORMAT_VERSION:?}: update Bunri, or choose another model"
    )]
    Format(String),
    /// An architecture that this version does not know.
    #[error(
        "the model's architecture is {0:?}, this version knows {known}: update Bunri, or choose another model",
        known = ARCHITECTURES.join(", ")
    )]
    Architecture(String),
    /// The metadata's JSON does not parse.
    #[error("the file's {field} does not parse: {source}")]
    Metadata {
        /// Which metadata entry.
        field: &'static str,
        /// The parser's word.
        source: serde_json::Error,
    },
    /// Tensors and config disagree.
    #[error("the file's tensors are not those of its config: {0}")]
    Parameters(#[from] ParameterError),
    /// A tensor is stored in a type that weights never have.
    #[error("tensor {name} is stored as {dtype}, expected F32 or F16")]
    Dtype {
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
    /// The device has not enough memory left.
    #[error("{0}")]
    NoRoom(String),
    /// A weight is not a number.
    #[error("tensor {0} holds NaN or infinity: the file is damaged or its training diverged")]
    NotFinite(String),
}

impl Checkpoint {
    /// Reads a checkpoint file.
    ///
    /// # Errors
    /// [`CheckpointError`]: no file, truncated, foreign, damaged or unsupported.
    pub fn load(path: &Path, device: Device) -> Result<Self, CheckpointError> {
        let bytes = model_bytes::read(path).map_err(|source| io_error(path, source))?;
        Self::from_bytes(&bytes, device)
    }

    /// Reads a checkpoint from memory, e.g. the embedded default model.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn from_bytes(bytes: &[u8], device: Device) -> Result<Self, CheckpointError> {
        if let Some(content) = Content::of(&bytes[..bytes.len().min(HEAD_BYTES)], true) {
            return Err(CheckpointError::OtherContent(content));
        }
        check_length(bytes)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let config = config_from(&metadata)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
        let shapes: Vec<(&str, Vec<i64>)> = tensors
            .iter()
            .map(|(name, view)| (name, view.shape().iter().map(|&n| n as i64).collect()))
            .collect();
        config.validate().map_err(ParameterError::from)?;
        check_shapes(config.parameter_specs(), shapes.into_iter())?;
        let weights_bytes = size_of::<f32>() * config.parameter_count();
        check_room(device, weights_bytes as u64).map_err(CheckpointError::NoRoom)?;
        let mut parameters = BTreeMap::new();
        for (name, view) in tensors.iter() {
            parameters.insert(name.to_owned(), tensor_from(name, &view)?);
        }
        Ok(Self {
            network: config.build(parameters, device)?,
            provenance: parse(&metadata, PROVENANCE)?,
            licence: entry(&metadata, LICENCE)?.clone(),
        })
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`CheckpointError`] if the header cannot be written (never seen with valid tensors).
    pub fn to_bytes(&self, storage: Storage) -> Result<Vec<u8>, CheckpointError> {
        let (architecture, config) = split(&self.network.config())?;
        let provenance = json(PROVENANCE, &self.provenance)?;
        let metadata = HashMap::from(
            [
                (FORMAT, FORMAT_VERSION.to_owned()),
                (ARCHITECTURE, architecture),
                (CONFIG, config),
                (PROVENANCE, provenance),
                (LICENCE, self.licence.clone()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        let tensors: Vec<(&str, StoredTensor)> = self
            .network
            .parameters()
            .iter()
            .map(|(name, tensor)| (name.as_str(), StoredTensor::new(tensor, storage)))
            .collect();
        serialize(tensors, Some(metadata)).map_err(not_safetensors)
    }

    /// Writes the file: a temporary one beside it, synced, then renamed, so that a reader never
    /// sees half a model.
    ///
    /// # Errors
    /// [`CheckpointError::Io`] with the path, e.g. on a full disk; the old file then stays.
    pub fn save(&self, path: &Path, storage: Storage) -> Result<(), CheckpointError> {
        write_file(path, &self.to_bytes(storage)?).map_err(|source| io_error(path, source))
    }
}

fn io_error(path: &Path, source: std::io::Error) -> CheckpointError {
    CheckpointError::Io {
        path: path.to_owned(),
        source,
    }
}

/// How much of a file is looked at to say what it is.
const HEAD_BYTES: usize = 4096;

fn not_safetensors(error: SafeTensorError) -> CheckpointError {
    CheckpointError::NotSafetensors(error.to_string())
}

/// Tells a cut-off file from a foreign one: safetensors itself only says "invalid".
fn check_length(bytes: &[u8]) -> Result<(), CheckpointError> {
    /// Largest header that is believed; safetensors' own bound.
    const MAX_HEADER_BYTES: u64 = 100_000_000;
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(CheckpointError::NotSafetensors(format!(
            "only {} bytes long",
            bytes.len()
        )));
    };
    let header_bytes = u64::from_le_bytes(*length);
    if header_bytes > MAX_HEADER_BYTES {
        let text =
            format!("its header claims {header_bytes} bytes, the limit is {MAX_HEADER_BYTES}");
        return Err(CheckpointError::NotSafetensors(text));
    }
    if header_bytes > rest.len() as u64 {
        let looks_like_ours = rest.first() == Some(&b'{');
        let missing_bytes = header_bytes - rest.len() as u64;
        return Err(if looks_like_ours {
            CheckpointError::Truncated { missing_bytes }
        } else {
            CheckpointError::NotSafetensors("its first bytes are no header".into())
        });
    }
    let (header, data) = rest.split_at(header_bytes as usize);
    let header: HashMap<String, serde_json::Value> = serde_json::from_slice(header)
        .map_err(|e| CheckpointError::NotSafetensors(e.to_string()))?;
    let data_bytes = header
        .values()
        .filter_map(|tensor| tensor.get("data_offsets")?.get(1)?.as_u64())
        .max()
        .unwrap_or(0);
    match data_bytes.checked_sub(data.len() as u64) {
        None | Some(0) => Ok(()),
        Some(missing_bytes) => Err(CheckpointError::Truncated { missing_bytes }),
    }
}

fn entry<'a>(
    metadata: &'a HashMap<String, String>,
    key: &'static str,
) -> Result<&'a String, CheckpointError> {
    metadata.get(key).ok_or(CheckpointError::NoMetadata(key))
}

fn parse<T: for<'de> Deserialize<'de>>(
    metadata: &HashMap<String, String>,
    field: &'static str,
) -> Result<T, CheckpointError> {
    serde_json::from_str(entry(metadata, field)?)
        .map_err(|source| CheckpointError::Metadata { field, source })
}

fn json<T: Serialize>(field: &'static str, value: &T) -> Result<String, CheckpointError> {
    serde_json::to_string(value).map_err(|source| CheckpointError::Metadata { field, source })
}

/// Architecture and config, each for an entry of its own.
fn split(config: &NetworkConfig) -> Result<(String, String), CheckpointError> {
    let failed = |source| CheckpointError::Metadata {
        field: CONFIG,
        source,
    };
    let mut value = serde_json::to_value(config).map_err(failed)?;
    let architecture = value
        .as_object_mut()
        .and_then(|fields| fields.remove(TAG))
        .and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default();
    Ok((architecture, json(CONFIG, &value)?))
}

fn config_from(metadata: &HashMap<String, String>) -> Result<NetworkConfig, CheckpointError> {
    let format = entry(metadata, FORMAT)?;
    if format != FORMAT_VERSION {
        return Err(CheckpointError::Format(format.clone()));
    }
    let architecture = entry(metadata, ARCHITECTURE)?;
    if !ARCHITECTURES.contains(&architecture.as_str()) {
        return Err(CheckpointError::Architecture(architecture.clone()));
    }
    let mut config: serde_json::Map<String, serde_json::Value> = parse(metadata, CONFIG)?;
    config.insert(TAG.into(), architecture.as_str().into());
    serde_json::from_value(config.into()).map_err(|source| CheckpointError::Metadata {
        field: CONFIG,
        source,
    })
}

fn tensor_from(name: &str, view: &TensorView<'_>) -> Result<Tensor, CheckpointError> {
    let values: Vec<f32> = match view.dtype() {
        Dtype::F32 => view
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect(),
        Dtype::F16 => {
            let halves = view.data().as_chunks::<2>().0.iter();
            halves
                .map(|bytes| f16::from_le_bytes(*bytes).to_f32())
                .collect()
        }
        other => {
            return Err(CheckpointError::Dtype {
                name: name.into(),
                dtype: format!("{other:?}"),
            });
        }
    };
    if values.iter().any(|value| !value.is_finite()) {
        return Err(CheckpointError::NotFinite(name.into()));
    }
    let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
    Ok(Tensor::from_slice(&values).reshape(&shape[..]))
}

/// A tensor's bytes as safetensors wants them.
struct StoredTensor {
    shape: Vec<usize>,
    storage: Storage,
    bytes: Vec<u8>,
}

impl StoredTensor {
    fn new(tensor: &Tensor, storage: Storage) -> Self {
        let values = float_values(tensor);
        let bytes = match storage {
            Storage::F32 => values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            Storage::F16 => values
                .iter()
                .flat_map(|value| f16::from_f32(*value).to_le_bytes())
                .collect(),
        };
        let shape = tensor.size().iter().map(|&n| n as usize).collect();
        Self {
            shape,
            storage,
            bytes,
        }
    }
}

impl safetensors::View for StoredTensor {
    fn dtype(&self) -> Dtype {
        match self.storage {
            Storage::F32 => Dtype::F32,
            Storage::F16 => Dtype::F16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// A tensor's values in row-major order, on the CPU.
#[must_use]
pub fn float_values(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor
        .detach()
        .to_device(Device::Cpu)
        .to_kind(Kind::Float)
        .contiguous();
    let mut values = vec![0f32; flat.numel()];
    flat.copy_data(&mut values, flat.numel());
    values
}

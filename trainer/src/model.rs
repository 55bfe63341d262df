//! The model of a command: where it comes from, and streams through it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use bunri_model::device::device_name;
use bunri_model::torch_script::Description;
use bunri_model::{
    DeviceChoice, LoadedModel, Provenance, Separator, SharedWeights, built_in_model, model_bytes,
};
use bunri_stream::engine::ModelSource;
use bunri_stream::{BuiltIn, Mode, ModelSpec, StemModel};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tch::Device;

use crate::output::eprint_line;
use crate::stream_args::StreamArgs;

/// Names the model that comes with the program for the mode that is asked for.
pub const DEFAULT: &str = "default";
/// Most chunks that are separated at a time where nobody says how many.
const MAX_CHUNKS: usize = 8;

/// What `--model NAME` means: [`DEFAULT`], `studio` and `live` come with the program, all else is a
/// file.
#[must_use]
pub fn source_of(name: &Path, mode: Mode) -> ModelSource {
    if name == Path::new(DEFAULT) {
        return ModelSource::BuiltIn(BuiltIn::for_mode(mode));
    }
    match name.to_str().and_then(BuiltIn::named) {
        Some(model) => ModelSource::BuiltIn(model),
        None => ModelSource::File(name.to_owned()),
    }
}

/// The bytes of a model, as they lie in its file.
///
/// # Errors
/// No such file, or a program that was built without this model.
pub fn bytes_of(source: &ModelSource) -> Result<Cow<'static, [u8]>> {
    match source {
        ModelSource::BuiltIn(model) => {
            built_in_model(*model).map(Cow::Borrowed).with_context(|| {
                let name = model.name();
                format!("this program was built without a {name} model: choose a model file")
            })
        }
        ModelSource::File(path) => {
            let bytes = model_bytes::read(path);
            Ok(bytes
                .with_context(|| format!("model {}", path.display()))?
                .into())
        }
    }
}

/// What a report says about the model that it speaks of, so that the figures can be had again.
#[derive(Clone, Debug, Serialize)]
pub struct ModelCard {
    /// The file as given, or `default`.
    pub source: String,
    /// Of the file's bytes, in hexadecimal digits.
    pub sha256: String,
    /// Size of the file.
    pub bytes: usize,
    /// Number of trained values, where the file tells.
    pub parameters: Option<usize>,
    /// Licence of the weights.
    pub licence: String,
    /// What the file says about its training.
    pub provenance: Provenance,
    /// Rate, stems, and how the model is streamed.
    pub spec: ModelSpec,
    /// Where it runs.
    pub device: String,
    /// How it was streamed.
    pub mode: String,
}

/// A model on its device, loaded once for all its streams.
#[derive(Debug)]
pub struct Model {
    weights: Arc<SharedWeights>,
    name: PathBuf,
    source: ModelSource,
    architecture: String,
    parameters: Option<usize>,
    licence: String,
    provenance: Provenance,
    spec: ModelSpec,
    device: String,
    mode: Mode,
}

impl Model {
    /// Loads a model file, or the model that comes with the program ([`DEFAULT`]); warns on
    /// standard error where the file deserves it.
    ///
    /// # Errors
    /// When the file is no model, the device is not there, or mode or precision are impossible.
    pub fn load(name: &Path, device: DeviceChoice, stream: StreamArgs) -> Result<Self> {
        let mode = stream.mode();
        let source = source_of(name, mode);
        let shown = name.display();
        let model = LoadedModel::open(&source, device.resolve()?)
            .and_then(|model| model.in_precision(stream.precision))
            .with_context(|| format!("model {shown}"))?;
        for warning in model.warning.into_iter().chain(model.notice.as_deref()) {
            eprint_line!("warning: {shown}: {warning}");
        }
        let device = model.network.device();
        let architecture = architecture_of(&model);
        let parameters = model.parameters;
        let (provenance, licence) = (model.provenance.clone(), model.licence.clone());
        let weights: Arc<SharedWeights> = Arc::new(model.into());
        if weights.network().causal().is_some() {
            // A hop is hundreds of small operations, and after each of them libtorch's threads meet.
            // Measured on two cores: 15 % slower with two threads than with one while nothing else runs,
            // and more than sixty times as slow while another program keeps one core busy.
            tch::set_num_threads(1);
        }
        let spec = Separator::new(Arc::clone(&weights), mode)?.spec().clone();
        Ok(Self {
            weights,
            name: name.to_owned(),
            source,
            architecture,
            parameters,
            licence,
            provenance,
            spec,
            device: device_name(device),
            mode,
        })
    }

    /// What a report says about it. Reads the file again, for its hash.
    ///
    /// # Errors
    /// A file that can no longer be read.
    pub fn card(&self) -> Result<ModelCard> {
        let bytes = bytes_of(&self.source)?;
        Ok(ModelCard {
            source: self.name.display().to_string(),
            sha256: sha256_of(&bytes),
            bytes: bytes.len(),
            parameters: self.parameters,
            licence: self.licence.clone(),
            provenance: self.provenance.clone(),
            spec: self.spec.clone(),
            device: self.device.clone(),
            mode: self.mode.to_string(),
        })
    }

    /// The file as given; the name of a built-in model, `studio` or `live`.
    #[must_use]
    pub fn source_name(&self) -> String {
        match &self.source {
            ModelSource::BuiltIn(model) => model.name().to_owned(),
            ModelSource::File(path) => path.display().to_string(),
        }
    }

    /// The network's kind, as its config names it.
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// Digest of all that its output depends on, in hexadecimal digits: of the file's bytes, followed by
    /// those of the module that a TorchScript description names.
    ///
    /// # Errors
    /// A file that can no longer be read.
    pub fn sha256(&self) -> Result<String> {
        let mut bytes = bytes_of(&self.source)?;
        if let ModelSource::File(path) = &self.source
            && path.extension().is_some_and(|ending| ending == "toml")
        {
            let (_, module) = Description::load(path)?;
            let module =
                std::fs::read(&module).with_context(|| format!("module {}", module.display()))?;
            bytes.to_mut().extend(module);
        }
        Ok(sha256_of(&bytes))
    }

    /// Licence of the weights.
    #[must_use]
    pub fn licence(&self) -> &str {
        &self.licence
    }

    /// Where it runs.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// What it makes, and how it sees time.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Chunks of a file that are best separated at a time: on a CPU one per core, but for causal
    /// models, whose chunks follow from each other. At most eight, for each takes memory.
    #[must_use]
    pub fn chunks_at_a_time(&self) -> usize {
        let network = self.weights.network();
        if network.causal().is_some() || network.device() != Device::Cpu {
            return 1;
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cores.min(MAX_CHUNKS)
    }

    /// A new stream through it.
    ///
    /// # Errors
    /// None that [`load`](Self::load) did not have.
    pub fn separator(&self) -> Result<Separator> {
        Ok(Separator::new(Arc::clone(&self.weights), self.mode)?)
    }

    /// What became of the device, if it failed; a sentence for the user.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.weights.notice()
    }

    /// One line: which model, where it runs, how it sees time.
    #[must_use]
    pub fn description(&self) -> String {
        let Self {
            name,
            parameters,
            spec,
            device,
            mode,
            ..
        } = self;
        let name = name.display();
        let seconds = |frames: usize| frames as f64 / f64::from(spec.rate_hz);
        let size = parameters.map_or_else(String::new, |parameters| {
            format!("{:.1} M parameters: ", parameters as f64 / 1e6)
        });
        format!(
            "model {name} ({size}{}) on {device}, {} Hz; mode {mode}: chunk {:.2} s, hop {:.2} s, latency \
             {:.2} s",
            spec.stems.join(", "),
            spec.rate_hz,
            seconds(spec.chunk_frames),
            seconds(spec.hop_frames),
            seconds(spec.latency_frames()),
        )
    }
}

/// The network's kind, as its config names it; `torch-script` where there is no config.
pub(crate) fn architecture_of(model: &LoadedModel) -> String {
    let config = model
        .config()
        .and_then(|config| serde_json::to_value(config).ok());
    let name = config
        .as_ref()
        .and_then(|config| config["architecture"].as_str());
    name.unwrap_or("torch-script").to_owned()
}

fn sha256_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

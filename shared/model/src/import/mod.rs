//! Models of the reference packages, as people download them, as networks of this crate.
//!
//! Reading the file is [`bunri_import`]'s part, which executes nothing of it; here its class and
//! arguments become a config, and its weights are held against that config before a tensor is made.

mod classes;
mod config;
mod error;
#[cfg(test)]
mod golden;

use std::collections::BTreeMap;

use bunri_import::{Array, Package};
use tch::{Device, Tensor};

pub use config::Hints;
pub use error::ImportModelError;

use crate::checkpoint::{Checkpoint, Provenance};
use crate::network::NetworkConfig;
use crate::parameters::{ParameterError, Parameters, check_shapes};

/// A model that was imported, and what is worth telling about it.
#[derive(Debug)]
pub struct Imported {
    /// The model. Its card holds the class and the training's command line, its licence is empty:
    /// files do not say it.
    pub checkpoint: Checkpoint,
    /// Arguments in the file that this version of the class does not have.
    pub dropped: Vec<String>,
    /// The weights were compressed by DiffQ.
    pub was_quantized: bool,
}

/// Reads a model file of a reference package: `.th` of demucs 2 to 4, safetensors of demucs 4.1.
///
/// # Errors
/// [`ImportModelError`]: the file is refused or damaged, its model is not one of this crate's, or
/// the file holds weights alone and `hints` do not say of what.
pub fn import(bytes: &[u8], hints: &Hints, device: Device) -> Result<Imported, ImportModelError> {
    let package = Package::read(bytes)?;
    let (class, config, dropped) = config::config(&package, hints)?;
    config.validate().map_err(ParameterError::from)?;
    let specs = config.parameter_specs();
    let weights = package.weights(&class.module_order(&specs))?;
    let shapes = weights.iter().map(|(name, array)| {
        let shape = array.shape.iter().map(|&n| n as i64).collect();
        (name.as_str(), shape)
    });
    check_shapes(specs, shapes)?;
    let provenance = card(&package, &config);
    Ok(Imported {
        dropped,
        was_quantized: package.is_quantized(),
        checkpoint: Checkpoint {
            network: config.build(tensors(weights)?, device)?,
            provenance,
            licence: String::new(),
        },
    })
}

fn tensors(weights: BTreeMap<String, Array>) -> Result<Parameters, ImportModelError> {
    let mut parameters = Parameters::new();
    for (name, array) in weights {
        if array.values.iter().any(|value| !value.is_finite()) {
            return Err(ImportModelError::NotFinite(name));
        }
        let shape: Vec<i64> = array.shape.iter().map(|&n| n as i64).collect();
        let tensor = Tensor::from_slice(&array.values).reshape(&shape[..]);
        parameters.insert(name, tensor);
    }
    Ok(parameters)
}

/// What the file says about where it comes from.
fn card(package: &Package<'_>, config: &NetworkConfig) -> Provenance {
    /// Enough for the command line of any training, far less than a hostile file could ask for.
    const MAX_VALUES: usize = 2000;
    const MAX_DEPTH: usize = 8;
    let mut provenance = Provenance::default();
    let mut note = |key: &str, value: serde_json::Value| {
        provenance.notes.insert(key.into(), value);
    };
    match package.class() {
        Some(class) => note("imported_class", class.into()),
        None => note("imported_class", "none: weights alone".into()),
    }
    if let Some(training) = package.training() {
        let mut budget = MAX_VALUES;
        note("training_args", training.to_json(MAX_DEPTH, &mut budget));
    }
    if package.is_quantized() {
        note("quantized", "by DiffQ, decoded at import".into());
    }
    provenance.data = format!(
        "as its publisher says; imported, {} parameters",
        config.parameter_count()
    );
    provenance
}

//! Golden files: what the reference packages make of the same input and weights.
//!
//! Made by the scripts in `tests/golden`; read by the tests of each architecture.

use std::collections::HashMap;
use std::path::PathBuf;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use tch::Tensor;

use crate::checkpoint::float_values;

pub(crate) fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", name]
        .iter()
        .collect()
}

/// Tensors and metadata of a golden file.
pub(crate) struct Golden {
    pub(crate) tensors: HashMap<String, Tensor>,
    pub(crate) metadata: HashMap<String, String>,
}

impl Golden {
    pub(crate) fn load(name: &str) -> Self {
        let bytes = std::fs::read(path(name)).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = tensors.iter().map(|(name, view)| {
            let kind = match view.dtype() {
                Dtype::F16 => tch::Kind::Half,
                Dtype::F32 => tch::Kind::Float,
                other => panic!("{name} is stored as {other:?}"),
            };
            let tensor = Tensor::from_data_size(view.data(), &shape(view.shape()), kind);
            (name.to_owned(), tensor.to_kind(tch::Kind::Float))
        });
        Self {
            tensors: tensors.collect(),
            metadata: header.metadata().clone().unwrap_or_default(),
        }
    }

    pub(crate) fn number(&self, key: &str) -> i64 {
        self.metadata[key].parse().unwrap()
    }
}

fn shape(dimensions: &[usize]) -> Vec<i64> {
    dimensions.iter().map(|&n| n as i64).collect()
}

/// Prints a line of the table; gives the largest difference of any sample.
pub(crate) fn compare(what: &str, ours: &Tensor, reference: &Tensor) -> f64 {
    assert_eq!(ours.size(), reference.size(), "{what}: shapes differ");
    let (ours, reference) = (float_values(ours), float_values(reference));
    let pairs = ours.iter().zip(&reference);
    let error = pairs
        .map(|(a, b)| f64::from((a - b).abs()))
        .fold(0.0, |max, error| {
            // Written so that NaN is not passed over.
            if error <= max { max } else { error }
        });
    let power: f64 = reference.iter().map(|x| f64::from(*x).powi(2)).sum();
    let rms = (power / reference.len() as f64).sqrt();
    let below_db = 20.0 * (error / rms).log10();
    println!(
        "{what:<32} {:>8} {rms:>8.4} {error:>10.2e} {below_db:>8.1}",
        reference.len()
    );
    assert!(rms > 0.03, "{what}: a reference this quiet proves nothing");
    error
}

pub(crate) fn print_head() {
    println!(
        "{:<32} {:>8} {:>8} {:>10} {:>8}",
        "", "samples", "RMS", "max error", "dB"
    );
}

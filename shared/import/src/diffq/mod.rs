//! States that DiffQ compressed (PyPI `diffq` up to 0.2.4), as plain weights again.
//!
//! Défossez et al., *Differentiable Model Compression via Pseudo Quantization Noise* (2021). A state
//! holds no names: lists of tensors in the order of the model's modules, those above a size as
//! integer levels of a few bits, per group of weights (`DiffQuantizer`) or for all
//! (`UniformQuantizer`); the rest as they are. The arithmetic below is the package's, in `f32` and
//! in its order, so that the weights are the same to the last bit.

mod bits;
mod quantizer;

use std::collections::BTreeMap;
use std::io::Read;

use quantizer::Quantizer;

use crate::document::Item;
use crate::error::ImportError;
use crate::limits::MAX_INFLATED_BYTES;
use crate::package::Array;

/// Decompresses the inner file of a `{"compressed": ..}` state (demucs 2.0.3).
///
/// # Errors
/// Not zlib, or larger than any model.
pub(crate) fn inflate(bytes: &[u8]) -> Result<Vec<u8>, ImportError> {
    let mut inflated = Vec::new();
    flate2::read::ZlibDecoder::new(bytes)
        .take(MAX_INFLATED_BYTES as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|error| ImportError::Quantized(format!("it does not decompress: {error}")))?;
    if inflated.len() > MAX_INFLATED_BYTES {
        return Err(ImportError::Limit {
            what: "bytes of decompressed state",
            got: inflated.len(),
            limit: MAX_INFLATED_BYTES,
        });
    }
    Ok(inflated)
}

/// Gives a quantized state its names back; `order` as for
/// [`Package::weights`](crate::Package::weights).
///
/// # Errors
/// The state does not fit `order`, or is written in a way that diffq never wrote.
pub(crate) fn restore(
    state: &Item<'_>,
    training: Option<Item<'_>>,
    order: &[(String, Vec<usize>)],
) -> Result<BTreeMap<String, Array>, ImportError> {
    let quantizer = Quantizer::of(state, training)?;
    let mut lists = ["quantized", "float16", "others"].map(|key| {
        let members = state.get(key).and_then(|list| list.members());
        (key, members.unwrap_or_default().into_iter())
    });
    let mut weights = BTreeMap::new();
    for (name, shape) in order {
        let count = shape.iter().product::<usize>();
        let (key, list) = match (quantizer.is_kept(count), quantizer.float16) {
            (false, _) => &mut lists[0],
            (true, true) => &mut lists[1],
            (true, false) => &mut lists[2],
        };
        let entry = list.next().ok_or_else(|| {
            ImportError::Quantized(format!(
                "its list {key:?} ends before {name}: another model's"
            ))
        })?;
        let array = if *key == "quantized" {
            let values = quantizer.restore(&entry, count)?;
            Array {
                shape: shape.clone(),
                values,
            }
        } else {
            entry.floats()?
        };
        if array.shape != *shape {
            return Err(ImportError::Quantized(format!(
                "{name} has shape {:?}, the model needs {shape:?}",
                array.shape
            )));
        }
        weights.insert(name.clone(), array);
    }
    for (key, mut list) in lists {
        if list.next().is_some() {
            return Err(ImportError::Quantized(format!(
                "its list {key:?} goes on after the model's last weight: another model's"
            )));
        }
    }
    Ok(weights)
}

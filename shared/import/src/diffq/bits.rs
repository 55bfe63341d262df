//! Small integers, bit by bit: all lowest bits of a block lie together, then all second ones.

use crate::document::Item;
use crate::error::ImportError;

/// diffq's two layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// `diffq.bitpack`: 64-bit words `[blocks, bits, 32]`.
    Words,
    /// `diffq.torch_pack`: 16-bit words `[bits, words]`.
    Shorts,
}

/// The first `count` integers of a packed tensor.
///
/// # Errors
/// Its shape is not that of the layout, or it holds fewer.
pub(super) fn unpack(
    packed: &Item<'_>,
    count: usize,
    packing: Packing,
) -> Result<Vec<u16>, ImportError> {
    let wrong = || {
        ImportError::Quantized(format!(
            "packed integers of shape {:?} for {count} values",
            packed.shape().unwrap_or_default()
        ))
    };
    // [blocks, bits, words per block], each word as many values of a block as it has bits
    let (blocks, bits, words, word_bits) = match (packing, packed.shape()) {
        (Packing::Words, Some(&[blocks, bits, 32])) => (blocks, bits, 32, 64),
        (Packing::Shorts, Some(&[bits, words])) => (1, bits, words, 16),
        _ => return Err(wrong()),
    };
    let room = blocks
        .checked_mul(words)
        .and_then(|n| n.checked_mul(word_bits));
    if bits > 15 || room.is_none_or(|room| room < count) {
        return Err(wrong());
    }
    let packed = packed.integers()?;
    let mut values = vec![0u16; count];
    for (block, packed) in packed.chunks_exact((bits * words).max(1)).enumerate() {
        for (bit, packed) in packed.chunks_exact(words.max(1)).enumerate() {
            for (index, &word) in packed.iter().enumerate() {
                for place in 0..word_bits {
                    let position = (block * word_bits + place) * words + index;
                    if let Some(value) = values.get_mut(position) {
                        *value |= ((word >> place & 1) as u16) << bit;
                    }
                }
            }
        }
    }
    Ok(values)
}

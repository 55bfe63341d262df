//! The quantizers of diffq: which weights they take, and what their levels stand for.

use super::bits::{Packing, unpack};
use crate::document::Item;
use crate::error::ImportError;

/// How a state was quantized.
#[derive(Debug)]
pub(super) struct Quantizer {
    kind: Kind,
    /// Tensors of at most this many values are kept as they are.
    min_values: usize,
    /// Those are stored with half precision.
    pub(super) float16: bool,
    /// `None`: levels lie there as they are.
    packing: Option<Packing>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// `DiffQuantizer`: a number of bits for each group of weights.
    Groups { group_values: usize, min_bits: u16 },
    /// `UniformQuantizer`: the same number of bits for all.
    Uniform { bits: u16 },
}

impl Quantizer {
    /// As the state says; states from before diffq 0.2 do not, and then it is the training's command
    /// line, and last what demucs 2.0.3 used for its published model.
    pub(super) fn of(state: &Item<'_>, training: Option<Item<'_>>) -> Result<Self, ImportError> {
        let meta = state.get("meta");
        let class = meta.and_then(|meta| meta.get("klass")?.as_class());
        let arguments = meta.and_then(|meta| meta.get("init_kwargs"));
        let given = |key: &str| arguments.and_then(|arguments| arguments.get(key));
        let trained = |key: &str| training.and_then(|training| training.get(key)?.as_f64());
        let number = |key: &str, default: f64| match given(key) {
            Some(value) => value
                .as_f64()
                .ok_or_else(|| ImportError::Quantized(format!("its {key} is {}", value.kind()))),
            None => Ok(default),
        };
        if let Some(exclude) = given("exclude").and_then(|exclude| exclude.members())
            && !exclude.is_empty()
        {
            return Err(ImportError::Quantized(
                "some weights were excluded by name, which is not read here".into(),
            ));
        }
        // The defaults of diffq 0.2.4 where it wrote `meta`, those of demucs 2.0.3 where not.
        let (group, min_size) = if meta.is_some() {
            (1.0, 0.01)
        } else {
            (8.0, trained("q_min_size").unwrap_or(1.0))
        };
        let qat = trained("qat").filter(|bits| *bits > 0.0);
        let kind = match (class, qat) {
            (Some("diffq.diffq.DiffQuantizer"), _) | (None, None) => Kind::Groups {
                group_values: whole("group_size", number("group_size", group)?)?,
                min_bits: whole("min_bits", number("min_bits", 2.0)?)?.min(16) as u16,
            },
            (Some("diffq.uniform.UniformQuantizer"), _) | (None, Some(_)) => {
                match whole("bits", number("bits", qat.unwrap_or(8.0))?)? {
                    bits @ 1..=15 => Kind::Uniform { bits: bits as u16 },
                    bits => {
                        let text = format!("weights of {bits} bits, diffq makes 1 to 15");
                        return Err(ImportError::Quantized(text));
                    }
                }
            }
            (Some(other), _) => {
                return Err(ImportError::Quantized(format!(
                    "quantized by {other}; DiffQuantizer and UniformQuantizer are read here"
                )));
            }
        };
        let flag = |key: &str| {
            let value = meta.and_then(|meta| meta.get(key)?.as_bool());
            value.unwrap_or(false)
        };
        Ok(Self {
            kind,
            // As diffq: megabytes of 4-byte values.
            min_values: (number("min_size", min_size)? * f64::from(1 << 20) / 4.0).floor() as usize,
            float16: given("float16").and_then(|flag| flag.as_bool()) == Some(true),
            packing: match (flag("packed"), flag("torch_pack")) {
                (false, _) => None,
                (true, false) => Some(Packing::Words),
                (true, true) => Some(Packing::Shorts),
            },
        })
    }

    /// Is a tensor of this many values kept as it is?
    pub(super) fn is_kept(&self, count: usize) -> bool {
        count <= self.min_values
    }

    /// The `count` values of one quantized tensor.
    pub(super) fn restore(&self, entry: &Item<'_>, count: usize) -> Result<Vec<f32>, ImportError> {
        let parts = entry.members().unwrap_or_default();
        match (self.kind, &parts[..]) {
            (
                Kind::Groups {
                    group_values,
                    min_bits,
                },
                [levels, scale, bits],
            ) => {
                // 0: one group of all.
                let group_values = if group_values == 0 {
                    count
                } else {
                    group_values
                };
                if group_values == 0 || !count.is_multiple_of(group_values) {
                    return Err(ImportError::Quantized(format!(
                        "{count} values are not made of groups of {group_values}"
                    )));
                }
                let groups = count / group_values;
                let bits = self.bits_of_groups(bits, groups, min_bits)?;
                let levels = match self.packing {
                    None => small_integers(levels, count)?,
                    Some(packing) => levels_by_bits(levels, &bits, group_values, packing)?,
                };
                let scale = Scale::of(scale)?;
                let levels = levels.chunks_exact(group_values).zip(&bits);
                Ok(levels
                    .flat_map(|(levels, &bits)| scale.values(levels, bits))
                    .collect())
            }
            (Kind::Uniform { bits }, [levels, scale]) => {
                let levels = match self.packing {
                    None => small_integers(levels, count)?,
                    Some(packing) => unpack(levels, count, packing)?,
                };
                Ok(Scale::of(scale)?.values(&levels, bits).collect())
            }
            (kind, parts) => Err(ImportError::Quantized(format!(
                "a quantized tensor has {} parts, {kind:?} has another number",
                parts.len()
            ))),
        }
    }

    fn bits_of_groups(
        &self,
        bits: &Item<'_>,
        groups: usize,
        min_bits: u16,
    ) -> Result<Vec<u16>, ImportError> {
        let bits = match self.packing {
            None => small_integers(bits, groups)?,
            Some(packing) => {
                let above = unpack(bits, groups, packing)?;
                above
                    .iter()
                    .map(|bits| bits.saturating_add(min_bits))
                    .collect()
            }
        };
        if let Some(wrong) = bits.iter().find(|&&bits| !(1..=15).contains(&bits)) {
            return Err(ImportError::Quantized(format!(
                "a group of {wrong} bits, diffq makes 1 to 15"
            )));
        }
        Ok(bits)
    }
}

/// One packed tensor for each number of bits, with the levels of all groups that have it, in order.
fn levels_by_bits(
    packed: &Item<'_>,
    bits: &[u16],
    group_values: usize,
    packing: Packing,
) -> Result<Vec<u16>, ImportError> {
    let packed = packed.members().unwrap_or_default();
    let mut levels = vec![0; bits.len() * group_values];
    for bit in 1..=15u16 {
        let groups = bits.iter().filter(|&&bits| bits == bit).count();
        if groups == 0 {
            continue;
        }
        let packed = packed
            .get(usize::from(bit) - 1)
            .filter(|item| !item.is_none());
        // diffq 0.2.4 itself leaves 15-bit groups out when it packs, and reads noise for them.
        let packed = packed.ok_or_else(|| {
            ImportError::Quantized(format!(
                "the levels of its {groups} groups of {bit} bits are missing"
            ))
        })?;
        let unpacked = unpack(packed, groups * group_values, packing)?;
        let mut unpacked = unpacked.chunks_exact(group_values);
        for (levels, _) in levels
            .chunks_exact_mut(group_values)
            .zip(bits)
            .filter(|(_, bits)| **bits == bit)
        {
            if let Some(unpacked) = unpacked.next() {
                levels.copy_from_slice(unpacked);
            }
        }
    }
    Ok(levels)
}

/// Levels or numbers of bits that were not packed: bytes or 16-bit integers.
fn small_integers(item: &Item<'_>, count: usize) -> Result<Vec<u16>, ImportError> {
    let values = item.integers()?;
    let small: Option<Vec<u16>> = values.iter().map(|&n| u16::try_from(n).ok()).collect();
    small.filter(|small| small.len() == count).ok_or_else(|| {
        ImportError::Quantized(format!(
            "{} integers, expected {count} that are not negative",
            values.len()
        ))
    })
}

/// The least and greatest value of a tensor, between which its levels lie.
struct Scale {
    min: f32,
    /// Python computes the difference in double precision.
    range: f32,
}

impl Scale {
    fn of(item: &Item<'_>) -> Result<Self, ImportError> {
        let ends = item.members().unwrap_or_default();
        let ends: Vec<f64> = ends.iter().filter_map(Item::as_f64).collect();
        let [min, max] = ends[..] else {
            return Err(ImportError::Quantized("a scale is not two numbers".into()));
        };
        Ok(Self {
            min: min as f32,
            range: (max - min) as f32,
        })
    }

    /// `bits` of 1 to 15.
    fn values(&self, levels: &[u16], bits: u16) -> impl Iterator<Item = f32> {
        let unit = 1.0 / ((1u32 << bits) - 1) as f32;
        let values = levels.iter().map(move |&level| f32::from(level) * unit);
        values.map(|value| value * self.range + self.min)
    }
}

/// A number of values or bits.
fn whole(name: &str, value: f64) -> Result<usize, ImportError> {
    if value.fract() == 0.0 && (0.0..=1e6).contains(&value) {
        return Ok(value as usize);
    }
    Err(ImportError::Quantized(format!(
        "its {name} is {value}, expected a whole number"
    )))
}

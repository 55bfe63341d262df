//! Tensors as views of a part of the file.

use std::ops::Range;

use half::{bf16, f16};

use crate::error::ImportError;
use crate::limits::MAX_AXES;
use crate::package::Array;

/// How the values of a storage are written, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Dtype {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// By the name of torch's storage class.
    pub(crate) fn of_storage(class: &str) -> Option<Self> {
        Some(match class {
            "torch.DoubleStorage" => Self::F64,
            "torch.FloatStorage" => Self::F32,
            "torch.HalfStorage" => Self::F16,
            "torch.BFloat16Storage" => Self::Bf16,
            "torch.LongStorage" => Self::I64,
            "torch.IntStorage" => Self::I32,
            "torch.ShortStorage" => Self::I16,
            "torch.CharStorage" => Self::I8,
            "torch.ByteStorage" => Self::U8,
            "torch.BoolStorage" => Self::Bool,
            _ => return None,
        })
    }
}

/// A view whose every element lies within its storage, and whose storage lies within the file.
#[derive(Debug)]
pub(crate) struct TensorView {
    dtype: Dtype,
    /// Bytes of the file.
    storage: Range<usize>,
    /// Of the first element, in elements.
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
}

impl TensorView {
    /// Checks that the view stays within its storage and has no more elements than it: no tensor can
    /// be larger than the file that holds it.
    ///
    /// # Errors
    /// [`ImportError::Tensor`] with what is wrong.
    pub(crate) fn new(
        dtype: Dtype,
        storage: Range<usize>,
        offset: usize,
        shape: Vec<usize>,
        stride: Vec<usize>,
    ) -> Result<Self, ImportError> {
        let elements = storage.len() / dtype.bytes();
        let refuse = |what: String| {
            Err(ImportError::Tensor {
                shape: shape.clone(),
                what,
            })
        };
        if shape.len() > MAX_AXES || shape.len() != stride.len() {
            return refuse(format!(
                "{} axes with {} strides, at most {MAX_AXES} of each",
                shape.len(),
                stride.len()
            ));
        }
        let count = shape.iter().try_fold(1usize, |n, &m| n.checked_mul(m));
        let count = match count {
            Some(count) if count <= elements => count,
            _ => return refuse(format!("its storage holds {elements} values")),
        };
        // The furthest element; none, if there are no elements.
        let last = shape
            .iter()
            .zip(&stride)
            .try_fold(offset, |last, (&length, &step)| {
                last.checked_add(length.saturating_sub(1).checked_mul(step)?)
            });
        match last {
            _ if count == 0 => {}
            Some(last) if last < elements => {}
            _ => {
                return refuse(format!(
                    "offset {offset} and strides {stride:?} leave its storage of {elements} values"
                ));
            }
        }
        Ok(Self {
            dtype,
            storage,
            offset,
            shape,
            stride,
        })
    }

    /// A tensor that fills its storage in row-major order.
    ///
    /// # Errors
    /// As [`TensorView::new`].
    pub(crate) fn whole(
        dtype: Dtype,
        storage: Range<usize>,
        shape: Vec<usize>,
    ) -> Result<Self, ImportError> {
        let stride = row_major(&shape);
        Self::new(dtype, storage, 0, shape, stride)
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn floats(&self, file: &[u8]) -> Result<Array, ImportError> {
        let values = match self.dtype {
            Dtype::F64 => self.values(file, |bytes| f64::from_le_bytes(bytes) as f32),
            Dtype::F32 => self.values(file, f32::from_le_bytes),
            Dtype::F16 => self.values(file, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Dtype::Bf16 => self.values(file, |bytes| bf16::from_le_bytes(bytes).to_f32()),
            other => return Err(self.wrong_type(other, "floating-point numbers")),
        };
        Ok(Array {
            shape: self.shape.clone(),
            values,
        })
    }

    pub(crate) fn integers(&self, file: &[u8]) -> Result<Vec<i64>, ImportError> {
        Ok(match self.dtype {
            Dtype::I64 => self.values(file, i64::from_le_bytes),
            Dtype::I32 => self.values(file, |bytes| i32::from_le_bytes(bytes).into()),
            Dtype::I16 => self.values(file, |bytes| i16::from_le_bytes(bytes).into()),
            Dtype::I8 => self.values(file, |bytes| i8::from_le_bytes(bytes).into()),
            Dtype::U8 | Dtype::Bool => self.values(file, |[byte]: [u8; 1]| byte.into()),
            other => return Err(self.wrong_type(other, "whole numbers")),
        })
    }

    fn wrong_type(&self, got: Dtype, expected: &str) -> ImportError {
        ImportError::Tensor {
            shape: self.shape.clone(),
            what: format!("its values are {got:?}, expected {expected}"),
        }
    }

    /// `BYTES` must be the type's size. The storage lies within the file by construction.
    fn values<T, const BYTES: usize>(
        &self,
        file: &[u8],
        value_of: impl Fn([u8; BYTES]) -> T,
    ) -> Vec<T> {
        let (elements, _) = file[self.storage.clone()].as_chunks::<BYTES>();
        let count: usize = self.shape.iter().product();
        if self.stride == row_major(&self.shape) {
            let elements = elements.iter().skip(self.offset).take(count);
            return elements.map(|&bytes| value_of(bytes)).collect();
        }
        let mut values = Vec::with_capacity(count);
        let mut position = vec![0; self.shape.len()];
        for _ in 0..count {
            let steps = position.iter().zip(&self.stride);
            let element = self.offset + steps.map(|(n, step)| n * step).sum::<usize>();
            values.push(value_of(elements[element]));
            for (axis, n) in position.iter_mut().enumerate().rev() {
                *n += 1;
                if *n < self.shape[axis] {
                    break;
                }
                *n = 0;
            }
        }
        values
    }
}

fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut stride = vec![1usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        stride[axis - 1] = stride[axis].saturating_mul(shape[axis].max(1));
    }
    stride
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shorts(values: &[i16]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    /// Guards the slow path: a transposed view of a part of a storage.
    #[test]
    fn strides_are_followed() {
        let file = shorts(&[9, 0, 1, 2, 3, 4, 5]);
        let view = TensorView::new(Dtype::I16, 0..14, 1, vec![3, 2], vec![1, 3]).unwrap();
        assert_eq!(view.integers(&file).unwrap(), [0, 3, 1, 4, 2, 5]);
    }

    /// Guards against reading past a storage, and against a few bytes that claim a terabyte.
    #[test]
    fn views_that_leave_or_repeat_their_storage_are_refused() {
        let view = |offset, shape: &[usize], stride: &[usize]| {
            TensorView::new(Dtype::I16, 0..12, offset, shape.to_vec(), stride.to_vec())
        };
        assert!(view(0, &[6], &[1]).is_ok());
        assert!(view(1, &[6], &[1]).is_err());
        assert!(view(0, &[3, 2], &[1, 4]).is_err());
        assert!(view(0, &[7], &[0]).is_err());
        assert!(view(0, &[1 << 40, 1 << 40], &[0, 0]).is_err());
        assert!(view(usize::MAX, &[2], &[usize::MAX]).is_err());
        assert!(view(0, &[1; 9], &[1; 9]).is_err());
        assert!(
            view(usize::MAX, &[0], &[1]).is_ok(),
            "no element, nothing to leave"
        );
    }
}

//! Convolutions over frequency (and a few neighbours in time) as matrix products.
//!
//! Hidden spectrograms lie with frequency before channels, `[batch, frequency, channels, time]`: so
//! all that a kernel sees lies in one piece, and a convolution is one batched product on overlapping
//! views. Compared with convolutions on `[batch, channels, frequency, time]`, no tensor is reordered
//! on its way in or out, and residual branches over time need no copy either.

use tch::Tensor;

use crate::parameters::Scope;

/// Weight and bias of one convolution; shares storage with the model's parameters.
#[derive(Debug)]
pub(crate) struct SpectralConvolution {
    weight: Tensor, // [outputs, inputs, frequencies, times], or [inputs, outputs, ..] if transposed
    bias: Tensor,
    stride: i64,
    padding: i64,
}

impl SpectralConvolution {
    /// Over frequency, with `padding` zeros at both ends.
    pub(crate) fn new(scope: &Scope<'_>, stride: usize, padding: usize) -> Self {
        Self {
            weight: scope.tensor("weight"),
            bias: scope.tensor("bias"),
            stride: stride as i64,
            padding: padding as i64,
        }
    }

    /// With odd kernels, and padded so that both axes keep their lengths.
    pub(crate) fn same(scope: &Scope<'_>) -> Self {
        let weight = scope.tensor("weight");
        Self {
            padding: weight.size()[2] / 2,
            weight,
            bias: scope.tensor("bias"),
            stride: 1,
        }
    }

    /// The bias, one value per output.
    pub(crate) fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// `[batch, frequency, inputs, time]` → `[batch, frequency / stride, outputs, time]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let (outputs, inputs, reach, times) = self.weight.size4().expect("kernels have four axes");
        let width = times * inputs;
        let matrix = self
            .weight
            .permute([0, 2, 3, 1])
            .reshape([1, outputs, reach * width]);
        let bias = self.bias.view([1, outputs, 1]);
        each_item(x, |x| {
            let rows = self.with_neighbours(x, times); // [frequency + 2 * padding, width, time]
            multiplied(&windows(&rows, reach, self.stride), &matrix, &bias)
        })
    }

    /// The transposed convolution, whose kernel is twice its stride, with both ends that padding
    /// would cut off: `[batch, frequency, inputs, time]` → `[batch, (frequency + 1) * stride,
    /// outputs, time]`.
    pub(crate) fn forward_transposed(&self, x: &Tensor) -> Tensor {
        let (inputs, outputs, ..) = self.weight.size4().expect("kernels have four axes");
        let stride = self.stride;
        // Each `stride` frequencies that come out have two that go in: the later half of the
        // kernel meets the one before.
        let matrix = self
            .weight
            .view([inputs, outputs, 2, stride])
            .flip([2])
            .permute([3, 1, 2, 0])
            .reshape([1, stride * outputs, 2 * inputs]);
        let bias = self.bias.repeat([stride]).view([1, stride * outputs, 1]);
        each_item(x, |x| {
            let (freqs, _, frames) = x.size3().expect("items have three axes");
            let rows = x.constant_pad_nd([0, 0, 0, 0, 1, 1]);
            multiplied(&windows(&rows, 2, 1), &matrix, &bias) // [frequency + 1, stride * outputs, time]
                .view([(freqs + 1) * stride, outputs, frames])
        })
    }

    /// Pads frequencies, and puts each channel's neighbours in time beside it: `[frequency,
    /// channels, time]` → `[frequency + 2 * padding, times * channels, time]`.
    fn with_neighbours(&self, x: &Tensor, times: i64) -> Tensor {
        let (freqs, channels, frames) = x.size3().expect("items have three axes");
        if times == 1 && self.padding == 0 {
            return x.contiguous();
        }
        let shape = [freqs + 2 * self.padding, times * channels, frames];
        let rows = Tensor::zeros(shape, (x.kind(), x.device()));
        for time in 0..times {
            let shift = time - times / 2;
            let kept = frames - shift.abs();
            if kept <= 0 {
                continue;
            }
            let mut place = rows
                .narrow(0, self.padding, freqs)
                .narrow(1, time * channels, channels)
                .narrow(2, (-shift).max(0), kept);
            place.copy_(&x.narrow(2, shift.max(0), kept));
        }
        rows
    }
}

/// Overlapping views of `reach` rows each: `[rows, width, time]` → `[windows, reach * width, time]`.
fn windows(rows: &Tensor, reach: i64, stride: i64) -> Tensor {
    let (count, width, frames) = rows.size3().expect("items have three axes");
    rows.as_strided(
        [(count - reach) / stride + 1, reach * width, frames],
        [stride * width * frames, frames, 1],
        None,
    )
}

/// `[items, inputs, time]` by `[1, outputs, inputs]`, plus bias `[1, outputs, 1]`.
fn multiplied(x: &Tensor, matrix: &Tensor, bias: &Tensor) -> Tensor {
    let matrix = matrix.expand([x.size()[0], -1, -1], false);
    bias.baddbmm(&matrix, x, 1.0, 1.0)
}

/// Applies `f` to each item of a batch: windows must not reach from one into the next.
fn each_item(x: &Tensor, f: impl Fn(&Tensor) -> Tensor) -> Tensor {
    let batch = x.size()[0];
    if batch == 1 {
        return f(&x.squeeze_dim(0)).unsqueeze(0);
    }
    let items: Vec<Tensor> = (0..batch).map(|item| f(&x.get(item))).collect();
    Tensor::stack(&items, 0)
}

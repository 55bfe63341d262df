// The C interface of src/foreign/optimiser.rs and arithmetic.rs: what a training step needs of
// libtorch and tch does not wrap.

#include <malloc.h>

#include <cstdint>
#include <optional>

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/library.h>

#include "guard.h"

namespace {

// Of those parameters that have a gradient: a step leaves the others as they are.
struct WithGradients {
  std::vector<at::Tensor> parameters, gradients, firsts, seconds;
};

std::optional<at::Tensor> optional_tensor(const at::Tensor* tensor) {
  return tensor != nullptr ? std::optional<at::Tensor>(*tensor) : std::nullopt;
}

// Adds LSTMs to autocast's 32-bit operators on CPUs. libtorch lets oneDNN compute an LSTM because its
// input is in 32 bits, then casts to 16, for which oneDNN has no LSTM without AVX-512 and raises.
// In 32 bits an LSTM gives the same on every processor, and its backward pass is as fast or faster.
TORCH_LIBRARY_IMPL(aten, AutocastCPU, m) {
  KERNEL_CPU(lstm, input, fp32)
}

} // namespace

extern "C" {

// torch's fused AdamW: one pass over each parameter. Gradients are divided by `divisor`, if any.
char* bunri_adamw_step(
    const at::Tensor* const* parameters,
    const at::Tensor* const* firsts,
    const at::Tensor* const* seconds,
    size_t count,
    const at::Tensor* step,
    double learning_rate,
    double beta_1,
    double beta_2,
    double weight_decay,
    double epsilon,
    const at::Tensor* divisor) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    WithGradients all;
    for (size_t i = 0; i < count; ++i) {
      const auto& gradient = parameters[i]->grad();
      if (gradient.defined()) {
        all.parameters.push_back(*parameters[i]);
        all.gradients.push_back(gradient);
        all.firsts.push_back(*firsts[i]);
        all.seconds.push_back(*seconds[i]);
      }
    }
    if (all.parameters.empty()) {
      return;
    }
    const std::vector<at::Tensor> steps(all.parameters.size(), *step);
    at::_fused_adamw_(
        all.parameters,
        all.gradients,
        all.firsts,
        all.seconds,
        /*max_exp_avg_sqs=*/{},
        steps,
        learning_rate,
        beta_1,
        beta_2,
        weight_decay,
        epsilon,
        /*amsgrad=*/false,
        /*maximize=*/false,
        optional_tensor(divisor),
        /*found_inf=*/{});
  });
}

// Moves `averages` towards `targets` by `weight` of the way.
char* bunri_lerp(
    const at::Tensor* const* averages,
    const at::Tensor* const* targets,
    size_t count,
    double weight) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    at::_foreach_lerp_(tensors_of(averages, count), tensors_of(targets, count), weight);
  });
}

// Length of all gradients together, as a tensor without axes on their device.
char* bunri_gradient_length(
    const at::Tensor* const* parameters,
    size_t count,
    at::Tensor** out) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> gradients;
    for (size_t i = 0; i < count; ++i) {
      if (parameters[i]->grad().defined()) {
        gradients.push_back(parameters[i]->grad());
      }
    }
    const auto length = gradients.empty()
        ? at::zeros({})
        : at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)), 2);
    *out = new at::Tensor(length);
  });
}

// Afterwards the parameters have no gradients: the next backward pass leaves its own in their place
// and need not add to zeros.
void bunri_forget_gradients(const at::Tensor* const* parameters, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    parameters[i]->mutable_grad().reset();
  }
}

// A backward pass from `output` on, whose own gradient is given.
char* bunri_backward(const at::Tensor* output, const at::Tensor* gradient) {
  return guarded([&] { torch::autograd::backward({*output}, {*gradient}); });
}

// What an autocast before it was: kept by whoever sets another.
struct bunri_autocast {
  bool enabled;
  int8_t kind;
};

// Begins an autocast of this thread on the device of `like`, and returns what was set before.
bunri_autocast bunri_autocast_begin(const at::Tensor* like, bool is_half) {
  const auto device = like->device().type();
  const bunri_autocast before{
      at::autocast::is_autocast_enabled(device),
      static_cast<int8_t>(at::autocast::get_autocast_dtype(device))};
  at::autocast::set_autocast_enabled(device, true);
  at::autocast::set_autocast_dtype(device, is_half ? at::kHalf : at::kBFloat16);
  at::autocast::increment_nesting();
  return before;
}

void bunri_autocast_end(const at::Tensor* like, bunri_autocast before) {
  const auto device = like->device().type();
  // Casts of the weights are kept for as long as the outermost autocast lasts.
  if (at::autocast::decrement_nesting() == 0) {
    at::autocast::clear_cache();
  }
  at::autocast::set_autocast_enabled(device, before.enabled);
  at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(before.kind));
}

char* bunri_set_tf32(bool allowed) {
  return guarded([&] {
    at::globalContext().setAllowTF32CuBLAS(allowed);
    at::globalContext().setAllowTF32CuDNN(allowed);
  });
}

// Memory that was freed stays with the process instead of going back to the system page by page.
void bunri_keep_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

} // extern "C"

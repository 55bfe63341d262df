// The C interface of src/foreign/recompute.rs: segments of a network that are computed again in the
// backward pass, where their inner results would otherwise be kept.

#include <memory>
#include <stdexcept>

#include <ATen/Functions.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "guard.h"

namespace {

// A function of Rust's: null where it panicked.
using Compute = at::Tensor* (*)(void* context, const at::Tensor* input);
using Drop = void (*)(void* context);

struct Segment : torch::CustomClassHolder {
  Segment(void* context, Compute compute, Drop drop)
      : context(context), compute(compute), drop(drop) {}
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  ~Segment() override {
    drop(context);
  }

  at::Tensor run(const at::Tensor& input) const {
    const std::unique_ptr<at::Tensor> output(compute(context, &input));
    if (output == nullptr) {
      throw std::runtime_error("a segment of the network panicked");
    }
    return *output;
  }

  void* context;
  Compute compute;
  Drop drop;
};

// The autocast of the forward pass, for the time of its repetition.
class SameAutocast {
 public:
  SameAutocast(c10::DeviceType device, bool enabled, at::ScalarType kind)
      : device_(device),
        enabled_(at::autocast::is_autocast_enabled(device)),
        kind_(at::autocast::get_autocast_dtype(device)) {
    at::autocast::set_autocast_enabled(device, enabled);
    at::autocast::set_autocast_dtype(device, kind);
    at::autocast::increment_nesting();
  }
  SameAutocast(const SameAutocast&) = delete;
  SameAutocast& operator=(const SameAutocast&) = delete;
  ~SameAutocast() {
    if (at::autocast::decrement_nesting() == 0) {
      at::autocast::clear_cache();
    }
    at::autocast::set_autocast_enabled(device_, enabled_);
    at::autocast::set_autocast_dtype(device_, kind_);
  }

 private:
  c10::DeviceType device_;
  bool enabled_;
  at::ScalarType kind_;
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  // `anchor` requires a gradient: the weights that the segment hides would not be reached otherwise.
  static at::Tensor forward(
      torch::autograd::AutogradContext* context,
      const at::Tensor& input,
      const at::Tensor& anchor,
      c10::intrusive_ptr<Segment> segment) {
    (void)anchor;
    const auto device = input.device().type();
    context->save_for_backward({input});
    context->saved_data["segment"] = c10::IValue::make_capsule(segment);
    context->saved_data["autocast"] = at::autocast::is_autocast_enabled(device);
    context->saved_data["kind"] =
        static_cast<int64_t>(at::autocast::get_autocast_dtype(device));
    // Casts that are made without gradients must not be what a later layer finds in the cache.
    const bool caches = at::autocast::is_autocast_cache_enabled();
    at::autocast::set_autocast_cache_enabled(false);
    at::Tensor output;
    try {
      output = segment->run(input);
    } catch (...) {
      at::autocast::set_autocast_cache_enabled(caches);
      throw;
    }
    at::autocast::set_autocast_cache_enabled(caches);
    return output;
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list gradients) {
    const auto input = context->get_saved_variables()[0];
    const auto segment = c10::static_intrusive_pointer_cast<Segment>(
        context->saved_data["segment"].toCapsule());
    auto again = input.detach();
    again.set_requires_grad(input.requires_grad());
    at::Tensor output;
    {
      const SameAutocast autocast(
          input.device().type(),
          context->saved_data["autocast"].toBool(),
          static_cast<at::ScalarType>(context->saved_data["kind"].toInt()));
      const at::AutoGradMode with_gradients(true);
      output = segment->run(again);
    }
    // Adds to the gradients of the segment's weights on the way.
    torch::autograd::backward({output}, {gradients[0]});
    return {again.grad(), at::Tensor(), at::Tensor()};
  }
};

} // namespace

extern "C" {

// Takes `context` over, whatever happens.
char* bunri_recompute(
    const at::Tensor* input,
    void* context,
    Compute compute,
    Drop drop,
    at::Tensor** out) {
  return guarded([&] {
    auto segment = c10::make_intrusive<Segment>(context, compute, drop);
    const auto anchor = at::empty({0}, input->options().dtype(at::kFloat)).requires_grad_();
    *out = new at::Tensor(Recomputed::apply(*input, anchor, segment));
  });
}

} // extern "C"

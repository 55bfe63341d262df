// The C interface of src/foreign/counting.rs: the floating-point operations of a computation by the
// shapes of its layers, and the memory of a GPU.

#include <cstdint>
#include <memory>
#include <string>

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>
#include <c10/core/CachingDeviceAllocator.h>

#include "guard.h"

namespace {

// Of this thread, while it counts.
thread_local uint64_t operations = 0;
// Layers that are being counted: what they are made of is not counted once more.
thread_local int depth = 0;

struct Layer : at::ObserverContext {
  bool is_counted = false;
  // A multiplication and an addition of every value of the output ...
  uint64_t per_output = 0;
};

uint64_t numel(const at::Tensor& tensor) {
  return static_cast<uint64_t>(tensor.numel());
}

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
  auto layer = std::make_unique<Layer>();
  if (depth > 0) {
    return layer;
  }
  const std::string name = function.name();
  const auto inputs = function.inputs();
  const auto tensor = [&](size_t index) { return inputs[index].toTensor(); };
  const auto has_tensor = [&](size_t index) {
    return index < inputs.size() && inputs[index].isTensor() && tensor(index).defined();
  };
  if (name == "aten::convolution" && has_tensor(1)) {
    const auto weight = tensor(1);
    const uint64_t products = numel(weight) / static_cast<uint64_t>(weight.size(0));
    if (inputs[6].toBool()) {
      // Transposed: every value of the input goes to all places that its kernel reaches.
      operations += 2 * numel(tensor(0)) * products;
    } else {
      layer->per_output = 2 * products;
    }
    layer->is_counted = true;
  } else if (name == "aten::linear" && has_tensor(1)) {
    layer->per_output = 2 * static_cast<uint64_t>(tensor(1).size(-1));
    layer->is_counted = true;
  } else if ((name == "aten::mm" || name == "aten::bmm") && has_tensor(1)) {
    layer->per_output = 2 * static_cast<uint64_t>(tensor(0).size(-1));
    layer->is_counted = true;
  } else if ((name == "aten::addmm" || name == "aten::baddbmm") && has_tensor(2)) {
    layer->per_output = 2 * static_cast<uint64_t>(tensor(1).size(-1));
    layer->is_counted = true;
  } else if ((name == "aten::lstm" || name == "aten::gru") && inputs.size() > 2 &&
             inputs[2].isTensorList()) {
    // Every position of every clip meets every matrix once.
    const auto input = tensor(0);
    const uint64_t positions = numel(input) / static_cast<uint64_t>(input.size(-1));
    for (const at::Tensor& weight : inputs[2].toTensorVector()) {
      operations += weight.dim() == 2 ? 2 * positions * numel(weight) : 0;
    }
    layer->is_counted = true;
  }
  depth += layer->is_counted ? 1 : 0;
  return layer;
}

void end(const at::RecordFunction& function, at::ObserverContext* context) {
  const auto* layer = static_cast<Layer*>(context);
  if (layer == nullptr || !layer->is_counted) {
    return;
  }
  --depth;
  const auto& outputs = function.outputs();
  if (layer->per_output > 0 && !outputs.empty() && outputs[0].isTensor()) {
    operations += layer->per_output * numel(outputs[0].toTensor());
  }
}

} // namespace

extern "C" {

char* bunri_count_begin(uint64_t* handle) {
  return guarded([&] {
    operations = 0;
    depth = 0;
    *handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback(begin, end)
            .needsInputs(true)
            .needsOutputs(true)
            .scopes({at::RecordScope::FUNCTION}));
  });
}

uint64_t bunri_count_end(uint64_t handle) {
  at::removeCallback(handle);
  return operations;
}

// The most memory that tensors held on a GPU at a time, since the last call with `reset`.
char* bunri_peak_bytes(const at::Tensor* like, bool reset, int64_t* bytes) {
  return guarded([&] {
    auto* allocator = at::getDeviceAllocator(like->device().type());
    const auto index = like->device().index();
    constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    *bytes = allocator->getDeviceStats(index).allocated_bytes[kAll].peak;
    if (reset) {
      allocator->resetPeakStats(index);
    }
  });
}

} // extern "C"

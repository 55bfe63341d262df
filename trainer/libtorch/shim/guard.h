// What every C function of the shim is made with.
//
// Each one that can fail returns null, or a message that `bunri_free` takes back; no exception leaves
// the shim. Tensors are pointers to `at::Tensor`, as torch-sys hands them out.
#pragma once

#include <cstddef>
#include <cstring>
#include <exception>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

inline char* message(const char* text) {
  char* copy = strdup(text);
  // Null would mean success.
  return copy != nullptr ? copy : strdup("out of memory");
}

template <typename Work>
char* guarded(Work work) noexcept {
  try {
    work();
    return nullptr;
  } catch (const c10::Error& error) {
    return message(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return message(error.what());
  } catch (...) {
    return message("an exception of an unknown kind");
  }
}

inline std::vector<at::Tensor> tensors_of(const at::Tensor* const* tensors, size_t count) {
  std::vector<at::Tensor> copies; // of the handles, not of the data
  copies.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    copies.push_back(*tensors[i]);
  }
  return copies;
}

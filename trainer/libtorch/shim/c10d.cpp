// The C interface of src/foreign/c10d.rs: libtorch's TCPStore, process groups and DDP's Reducer.

#define USE_C10D_GLOO

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <torch/headeronly/version.h>

#include "guard.h"

// `make_nccl` below and the declarations of Gloo hold for this version. Look at both for another.
#if TORCH_VERSION_MAJOR != 2 || TORCH_VERSION_MINOR != 11
#error "bunri-libtorch is written against libtorch 2.11: run `cargo bundler setup`"
#endif

namespace {

using std::chrono::milliseconds;
using StorePtr = c10::intrusive_ptr<c10d::Store>;
using BackendPtr = c10::intrusive_ptr<c10d::Backend>;

struct Store {
  c10::intrusive_ptr<c10d::TCPStore> store;
};

struct Group {
  c10::intrusive_ptr<c10d::ProcessGroup> group;
};

// libtorch logs every connection that is tried again, the last one as an error, with a page of C++
// addresses each. Errors reach the user as errors; the variable is libtorch's own.
void quieten() {
  static const bool done = [] {
    c10::initLogging();
    if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) {
      FLAGS_caffe2_log_level = 3; // fatal errors only
    }
    return true;
  }();
  (void)done;
}

c10::intrusive_ptr<c10d::TCPStore> open_store(
    const std::string& host,
    uint16_t port,
    bool is_server,
    int64_t timeout_ms) {
  quieten();
  c10d::TCPStoreOptions options;
  options.port = port;
  options.isServer = is_server;
  // Who is missing is found out, and said, in Rust.
  options.waitWorkers = false;
  options.timeout = milliseconds(timeout_ms);
  return c10::make_intrusive<c10d::TCPStore>(host, options);
}

BackendPtr make_gloo(const StorePtr& store, int rank, int size, milliseconds timeout) {
  // The network interface is GLOO_SOCKET_IFNAME's, or that of this machine's host name.
  auto options = c10d::ProcessGroupGloo::Options::create_default(timeout);
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
}

// NCCL's group lives in libtorch_cuda, which must not be linked: the same program runs on machines
// without CUDA. Nor can its header be included: it wants more of CUDA's headers than come with
// PyTorch's wheels. So its two constructors are looked up, by the names that compilers give them, and
// run in memory that is larger than the objects (1112 and 248 bytes in libtorch 2.11). From there on
// everything goes through the virtual functions of c10d::Backend.
constexpr size_t kRoomForNccl = 64 * 1024;
constexpr size_t kRoomForOptions = 8 * 1024;
constexpr const char* kNcclOptions = "_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb";
constexpr const char* kNccl =
    "_ZN4c10d16ProcessGroupNCCLC1EN3c1013intrusive_ptrINS_5StoreENS1_6detail34intrusive_target_"
    "default_null_typeIS3_EEEEiiNS2_INS0_7OptionsENS5_IS8_EEEE";
using OptionsPtr = c10::intrusive_ptr<c10d::Backend::Options>;
using ConstructOptions = void (*)(void*, bool);
using ConstructNccl = void (*)(void*, StorePtr, int, int, OptionsPtr);

void* cuda_symbol(const char* name) {
  void* library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
  TORCH_CHECK(library != nullptr, "NCCL needs the CUDA build of libtorch: ", dlerror());
  void* symbol = dlsym(library, name);
  TORCH_CHECK(symbol != nullptr, "this libtorch_cuda has no NCCL: ", dlerror());
  return symbol;
}

// An object of a class that only libtorch knows, in zeroed memory that its destructor frees.
template <typename Base, typename Construct>
c10::intrusive_ptr<Base> construct(size_t room, Construct run_constructor) {
  void* memory = ::operator new(room);
  std::memset(memory, 0, room);
  try {
    run_constructor(memory);
  } catch (...) {
    ::operator delete(memory);
    throw;
  }
  return c10::intrusive_ptr<Base>::unsafe_steal_from_new(static_cast<Base*>(memory));
}

BackendPtr make_nccl(const StorePtr& store, int rank, int size, milliseconds timeout) {
  auto construct_options = reinterpret_cast<ConstructOptions>(cuda_symbol(kNcclOptions));
  auto construct_nccl = reinterpret_cast<ConstructNccl>(cuda_symbol(kNccl));
  auto options = construct<c10d::Backend::Options>(
      kRoomForOptions, [&](void* memory) { construct_options(memory, false); });
  options->timeout = timeout;
  return construct<c10d::Backend>(kRoomForNccl, [&](void* memory) {
    construct_nccl(memory, store, rank, size, options);
  });
}

// Waits for all, so that none is left running when the first has failed.
void wait_for(std::vector<c10::intrusive_ptr<c10d::Work>> works) {
  std::exception_ptr first;
  for (auto& work : works) {
    try {
      work->wait();
    } catch (...) {
      if (!first) {
        first = std::current_exception();
      }
    }
  }
  if (first) {
    std::rethrow_exception(first);
  }
}

} // namespace

extern "C" {

char* bunri_c10d_store_host(uint16_t port, int64_t timeout_ms, Store** out) {
  return guarded([&] { *out = new Store{open_store("localhost", port, true, timeout_ms)}; });
}

char* bunri_c10d_store_connect(
    const char* host,
    uint16_t port,
    int64_t timeout_ms,
    Store** out) {
  return guarded([&] { *out = new Store{open_store(host, port, false, timeout_ms)}; });
}

uint16_t bunri_c10d_store_port(const Store* store) {
  return store->store->getPort();
}

char* bunri_c10d_store_set(Store* store, const char* key, const char* value) {
  return guarded([&] { store->store->c10d::Store::set(key, std::string(value)); });
}

// `value` stays null where the key is not there.
char* bunri_c10d_store_get(Store* store, const char* key, char** value) {
  return guarded([&] {
    if (store->store->check({key})) {
      *value = message(store->store->get_to_str(key).c_str());
    }
  });
}

char* bunri_c10d_store_add(Store* store, const char* key, int64_t amount, int64_t* sum) {
  return guarded([&] { *sum = store->store->add(key, amount); });
}

char* bunri_c10d_store_close(Store* store) {
  return guarded([&] { delete store; });
}

// CPU tensors go through Gloo; CUDA tensors through NCCL, or through Gloo by way of the host.
char* bunri_c10d_group_join(
    Store* store,
    const char* prefix,
    int rank,
    int size,
    int64_t timeout_ms,
    bool with_nccl,
    Group** out) {
  return guarded([&] {
    using BackendType = c10d::ProcessGroup::BackendType;
    const milliseconds timeout(timeout_ms);
    StorePtr shared = c10::make_intrusive<c10d::PrefixStore>(prefix, store->store);
    auto group = c10::make_intrusive<c10d::ProcessGroup>(shared, rank, size);
    group->setDefaultBackend(BackendType::GLOO);
    auto gloo = make_gloo(
        c10::make_intrusive<c10d::PrefixStore>("gloo", shared), rank, size, timeout);
    group->setBackend(c10::DeviceType::CPU, BackendType::GLOO, gloo);
    if (with_nccl) {
      auto nccl = make_nccl(
          c10::make_intrusive<c10d::PrefixStore>("nccl", shared), rank, size, timeout);
      group->setBackend(c10::DeviceType::CUDA, BackendType::NCCL, nccl);
    } else {
      group->setBackend(c10::DeviceType::CUDA, BackendType::GLOO, gloo);
    }
    group->setGroupName(prefix);
    *out = new Group{group};
  });
}

char* bunri_c10d_group_sum(Group* group, const at::Tensor* const* tensors, size_t count) {
  return guarded([&] {
    std::vector<c10::intrusive_ptr<c10d::Work>> works;
    for (auto& tensor : tensors_of(tensors, count)) {
      std::vector<at::Tensor> one{tensor};
      works.push_back(group->group->allreduce(one));
    }
    wait_for(std::move(works));
  });
}

char* bunri_c10d_group_broadcast(
    Group* group,
    const at::Tensor* const* tensors,
    size_t count,
    int root) {
  return guarded([&] {
    c10d::BroadcastOptions options;
    options.rootRank = root;
    std::vector<c10::intrusive_ptr<c10d::Work>> works;
    for (auto& tensor : tensors_of(tensors, count)) {
      std::vector<at::Tensor> one{tensor};
      works.push_back(group->group->broadcast(one, options));
    }
    wait_for(std::move(works));
  });
}

char* bunri_c10d_group_leave(Group* group) {
  return guarded([&] { delete group; });
}

char* bunri_c10d_reducer_make(
    Group* group,
    const at::Tensor* const* parameters,
    size_t count,
    size_t bucket_bytes,
    bool find_unused,
    c10d::Reducer** out) {
  return guarded([&] {
    auto tensors = tensors_of(parameters, count);
    c10d::verify_params_across_processes(group->group, tensors, std::nullopt);
    // A small first bucket: the first all-reduce starts early in the backward pass.
    const size_t first_bytes = std::min<size_t>(bucket_bytes, c10d::kDefaultFirstBucketBytes);
    auto buckets = std::get<0>(
        c10d::compute_bucket_assignment_by_size(tensors, {first_bytes, bucket_bytes}));
    const std::vector<bool> sparse(count, false);
    *out = new c10d::Reducer(
        std::move(tensors),
        std::move(buckets),
        group->group,
        sparse,
        static_cast<int64_t>(bucket_bytes),
        find_unused,
        /*gradient_as_bucket_view=*/false,
        /*param_names=*/{},
        static_cast<int64_t>(first_bytes),
        /*skip_all_reduce_unused_params=*/false,
        /*use_python_reducer=*/false,
        /*bucket_bytes_cap_list=*/{});
  });
}

// What DistributedDataParallel does before the backward pass of a step that ends in a sum.
char* bunri_c10d_reducer_prepare(
    c10d::Reducer* reducer,
    const at::Tensor* const* outputs,
    size_t count) {
  return guarded([&] {
    reducer->rebuild_buckets();
    reducer->prepare_for_backward(tensors_of(outputs, count));
  });
}

char* bunri_c10d_reducer_drop(c10d::Reducer* reducer) {
  return guarded([&] { delete reducer; });
}

} // extern "C"

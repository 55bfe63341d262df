//! Which files of a wheel are worth unpacking.

use super::wheels::Flavour;
use crate::package::licences::is_licence;

/// Whether the file at `path` inside a wheel is needed to build against libtorch and to run.
///
/// Python code, static archives and test programs never are. A CPU machine also does without
/// `libtorch_cuda` (torch-sys links it only where it finds it) and all but two of the CUDA
/// libraries, which `libtorch_cpu` names as needed though it calls them on GPUs only.
pub(crate) fn is_needed(flavour: Flavour, path: &str) -> bool {
    let Some((folder, file)) = path.rsplit_once('/') else {
        return false;
    };
    if path.starts_with("torch/include/") {
        return !file.is_empty();
    }
    // Whoever passes the libraries on passes these on, too.
    if (folder.contains(".dist-info") || folder.starts_with("nvidia/")) && is_licence(file) {
        return true;
    }
    match flavour {
        Flavour::Cpu => match folder {
            "torch/lib" => CPU_LIBRARIES.contains(&file),
            "nvidia/cu13/lib" => CPU_CUDA_LIBRARIES.contains(&file),
            _ => false,
        },
        Flavour::Cuda => match folder {
            "torch/lib" => is_shared_library(file) && !UNUSED_TORCH_LIBRARIES.contains(&file),
            _ if path.starts_with("nvidia/") && folder.ends_with("/lib") => {
                is_shared_library(file)
                    // The variants that pip's users would choose by hand, and tools nobody links.
                    && !file.contains(".alt.")
                    && !CUDA_TOOLS.contains(&file)
            }
            // NCCL's and CUDA's headers: the process groups' headers include them.
            _ => path.starts_with("nvidia/") && path.contains("/include/") && !file.is_empty(),
        },
    }
}

const CPU_LIBRARIES: [&str; 3] = ["libtorch_cpu.so", "libc10.so", "libgomp.so.1"];
const CPU_CUDA_LIBRARIES: [&str; 2] = ["libcudart.so.13", "libcupti.so.13"];
/// Python's, and `libtorch.so`, for which [`super::install`] has a better one.
const UNUSED_TORCH_LIBRARIES: [&str; 3] = ["libtorch_python.so", "libshm.so", "libtorch.so"];
const CUDA_TOOLS: [&str; 5] = [
    "libcusolverMg.so.12",
    "libnvperf_host.so",
    "libnvperf_target.so",
    "libpcsamplingutil.so",
    "libcheckpoint.so",
];

fn is_shared_library(file: &str) -> bool {
    file.ends_with(".so") || file.contains(".so.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the size of the CPU set: libtorch_cuda alone would double it.
    #[test]
    fn cpu_takes_the_closure_and_nothing_more() {
        let needed = |path| is_needed(Flavour::Cpu, path);
        assert!(needed("torch/lib/libtorch_cpu.so"));
        assert!(needed("torch/lib/libc10.so"));
        assert!(needed("torch/include/torch/csrc/api/include/torch/torch.h"));
        assert!(needed("nvidia/cu13/lib/libcudart.so.13"));
        assert!(needed("torch-2.11.0.dist-info/licenses/LICENSE"));
        assert!(needed(
            "nvidia_cuda_cupti-13.0.85.dist-info/licenses/License.txt"
        ));
        assert!(!needed("torch-2.11.0.dist-info/RECORD"));
        assert!(!needed("torch/lib/libtorch_cuda.so"));
        assert!(!needed("torch/lib/libtorch_python.so"));
        assert!(!needed("torch/lib/libtorch.so"));
        assert!(!needed("nvidia/cu13/lib/libnvperf_host.so"));
        assert!(!needed("nvidia/cu13/include/cupti.h"));
        assert!(!needed("torch/__init__.py"));
        assert!(!needed("torch/bin/protoc"));
    }

    /// Guards the CUDA set: every library that libtorch_cuda names, and no static archive.
    #[test]
    fn cuda_takes_shared_libraries_and_headers() {
        let needed = |path| is_needed(Flavour::Cuda, path);
        for path in [
            "torch/lib/libtorch_cuda.so",
            "torch/lib/libtorch_cuda_linalg.so",
            "torch/lib/libtorch_nvshmem.so",
            "torch/lib/libcaffe2_nvrtc.so",
            "nvidia/cudnn/lib/libcudnn_engines_precompiled.so.9",
            "nvidia/cu13/lib/libnvrtc-builtins.so.13.0",
            "nvidia/nvshmem/lib/libnvshmem_host.so.3",
            "nvidia/nccl/include/nccl.h",
            "nvidia/cusparselt/LICENSE.txt",
        ] {
            assert!(needed(path), "{path}");
        }
        for path in [
            "torch/lib/libtorch_python.so",
            "torch/lib/libshm/core.h",
            "nvidia/cu13/lib/libnvrtc.alt.so.13",
            "nvidia/cu13/lib/libcudart_static.a",
            "nvidia/nvshmem/lib/libnvshmem_device.bc",
            "nvidia/cu13/lib/libcusolverMg.so.12",
        ] {
            assert!(!needed(path), "{path}");
        }
    }
}

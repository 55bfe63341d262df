//! Which wheels make up libtorch, pinned to the byte.
//!
//! torch's Python tag is of no matter here, for only its C++ libraries and headers are kept; one
//! is chosen so that everybody unpacks the same file. The other versions are those that torch
//! 2.11.0 names in its own metadata (some of them by way of `cuda-toolkit[...]==13.0.2`). What it
//! lists for Python alone (sympy, triton, cuda-bindings, ...) is left out.

/// libtorch's version: torch-sys 0.24 is written against this one and refuses others.
pub(crate) const LIBTORCH_VERSION: &str = "2.11.0";

/// Which machines a libtorch serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// libtorch_cpu and the two small CUDA libraries it cannot be loaded without.
    Cpu,
    /// Everything that torch's own wheel depends on at run time.
    Cuda,
}

impl Flavour {
    /// The name used in folder names and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Flavour::Cpu => "cpu",
            Flavour::Cuda => "cuda",
        }
    }

    /// The wheels to fetch, in the order in which they are fetched.
    pub(crate) fn wheels(self) -> &'static [Wheel] {
        match self {
            Flavour::Cpu => &WHEELS[..CPU_WHEELS],
            Flavour::Cuda => &WHEELS,
        }
    }

    /// Bytes on disk once unpacked: measured, rounded up; for the check of free space.
    pub(crate) fn unpacked_bytes(self) -> u64 {
        match self {
            Flavour::Cpu => 530_000_000,
            Flavour::Cuda => 3_700_000_000,
        }
    }
}

/// One file on the package index.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wheel {
    /// The project's name on the index.
    pub(crate) project: &'static str,
    /// Its exact version.
    pub(crate) version: &'static str,
    /// The file's tags: everything after the version in its name, without `.whl`.
    pub(crate) tags: &'static str,
    /// Size of the file, for the progress bar and the check of free space.
    pub(crate) bytes: u64,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub(crate) sha256: &'static str,
}

impl Wheel {
    /// The file's name as pip saves it.
    pub(crate) fn file_name(&self) -> String {
        let project = self.project.replace('-', "_");
        format!("{project}-{}-{}.whl", self.version, self.tags)
    }

    /// The folder inside the wheel with what it says about itself, its licences among it.
    pub(crate) fn information_folder(&self) -> String {
        let project = self.project.replace('-', "_");
        format!("{project}-{}.dist-info", self.version)
    }

    /// The folder inside the wheel with its libraries, where it is none of CUDA's own.
    pub(crate) fn library_folder(&self) -> String {
        let name = self.project.trim_start_matches("nvidia-");
        format!("nvidia/{}", name.trim_end_matches("-cu13"))
    }

    /// The platform tags that pip must be told, since it would otherwise ask for a wheel that
    /// suits the Python it happens to run on.
    pub(crate) fn platforms(&self) -> impl Iterator<Item = &'static str> {
        self.tags.rsplit('-').next().unwrap_or_default().split('.')
    }
}

/// How many wheels at the head of [`WHEELS`] a machine without a GPU needs.
const CPU_WHEELS: usize = 3;

#[rustfmt::skip] // One line per wheel reads, and diffs, as the table that it is.
static WHEELS: [Wheel; 16] = [
    wheel("torch", "2.11.0", "cp311-cp311-manylinux_2_28_x86_64", 530_604_548, "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a"),
    wheel("nvidia-cuda-runtime", "13.0.96", "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64", 2_243_632, "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548"),
    wheel("nvidia-cuda-cupti", "13.0.85", "py3-none-manylinux_2_25_x86_64", 10_715_597, "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8"),
    wheel("nvidia-cublas", "13.1.0.3", "py3-none-manylinux_2_27_x86_64", 423_133_236, "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171"),
    wheel("nvidia-cuda-nvrtc", "13.0.88", "py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64", 90_215_200, "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575"),
    wheel("nvidia-cudnn-cu13", "9.19.0.56", "py3-none-manylinux_2_27_x86_64", 366_066_321, "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf"),
    wheel("nvidia-cufft", "12.0.0.61", "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64", 214_085_489, "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3"),
    wheel("nvidia-cufile", "1.15.1.6", "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64", 1_223_672, "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44"),
    wheel("nvidia-curand", "10.4.0.35", "py3-none-manylinux_2_27_x86_64", 59_544_258, "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc"),
    wheel("nvidia-cusolver", "12.0.4.66", "py3-none-manylinux_2_27_x86_64", 200_941_980, "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112"),
    wheel("nvidia-cusparse", "12.6.3.3", "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64", 145_942_937, "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b"),
    wheel("nvidia-cusparselt-cu13", "0.8.0", "py3-none-manylinux2014_x86_64", 169_884_119, "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd"),
    wheel("nvidia-nccl-cu13", "2.28.9", "py3-none-manylinux_2_18_x86_64", 196_493_177, "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42"),
    wheel("nvidia-nvjitlink", "13.0.88", "py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64", 40_713_933, "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b"),
    wheel("nvidia-nvshmem-cu13", "3.4.5", "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64", 60_412_546, "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80"),
    wheel("nvidia-nvtx", "13.0.85", "py3-none-manylinux1_x86_64.manylinux_2_5_x86_64", 148_047, "4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4"),
];

const fn wheel(
    project: &'static str,
    version: &'static str,
    tags: &'static str,
    bytes: u64,
    sha256: &'static str,
) -> Wheel {
    Wheel {
        project,
        version,
        tags,
        bytes,
        sha256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against a typing slip in the table that only a fresh machine would meet.
    #[test]
    fn every_pin_is_well_formed() {
        for wheel in &WHEELS {
            assert_eq!(wheel.sha256.len(), 64, "{}", wheel.project);
            assert!(
                wheel
                    .sha256
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            );
            assert_eq!(wheel.tags.split('-').count(), 3, "{}", wheel.project);
            assert!(wheel.platforms().all(|tag| tag.starts_with("manylinux")));
        }
    }

    /// Guards against a CPU set that lacks one of the two libraries libtorch_cpu needs.
    #[test]
    fn cpu_is_the_head_of_the_table() {
        let projects: Vec<_> = Flavour::Cpu.wheels().iter().map(|w| w.project).collect();
        assert_eq!(
            projects,
            ["torch", "nvidia-cuda-runtime", "nvidia-cuda-cupti"]
        );
        assert_eq!(Flavour::Cuda.wheels().len(), WHEELS.len());
    }

    #[test]
    fn file_names_are_those_of_the_index() {
        assert_eq!(
            WHEELS[2].file_name(),
            "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl"
        );
        assert_eq!(
            WHEELS[2].information_folder(),
            "nvidia_cuda_cupti-13.0.85.dist-info"
        );
    }
}

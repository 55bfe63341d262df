//! Which libraries an engine cannot do without: `DT_NEEDED`, followed to the end, and what libraries
//! open by themselves while they run, which no file says and the table below knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::elf::{self, Needs};

/// What every Linux machine with a C++ program on it has. Everything else must be in the package.
const SYSTEM: [&str; 11] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
    // dpkg and rpm need it themselves; cuDNN does here.
    "libz.so.1",
    // Part of NVIDIA's driver, which belongs to the machine's kernel.
    "libcuda.so.1",
];

/// Who opens which libraries at run time (`dlopen`); a `*` at the end stands for any ending.
///
/// From the sources of libtorch 2.11 (`DynamicLibrary`, `LazyNVRTC`, the linear algebra that is only
/// loaded when it is called) and from the names that NVIDIA's libraries carry in their read-only data.
const OPENED: [(&str, &[&str]); 3] = [
    (
        "libtorch_cuda.so",
        &["libtorch_cuda_linalg.so", "libcaffe2_nvrtc.so"],
    ),
    ("libcudnn.so.9", &["libcudnn_*"]),
    ("libnvrtc.so.13", &["libnvrtc-builtins.so.*"]),
];

/// What an engine opens itself, where it is there: see `bunri_model::device`.
pub(crate) const CUDA_ROOT: &str = "libtorch_cuda.so";

/// A library of the closure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Library {
    pub(crate) path: PathBuf,
    pub(crate) needs: Needs,
}

/// Everything that is needed, by file name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Closure {
    /// To be packed.
    pub(crate) libraries: BTreeMap<String, Library>,
    /// Expected on the machine.
    pub(crate) system: BTreeSet<String>,
}

/// Follows what `programs` need, and what the libraries `roots` need, through the libraries in
/// `folders`. The programs themselves are not part of the closure.
///
/// # Errors
/// A library is neither in the folders nor among those that every machine has, or cannot be read.
pub(crate) fn closure(
    programs: &[PathBuf],
    roots: &[&str],
    folders: &[PathBuf],
) -> Result<Closure> {
    let available = libraries_in(folders)?;
    follow(programs, roots, &available, &elf::needs_of)
}

fn follow(
    programs: &[PathBuf],
    roots: &[&str],
    available: &BTreeMap<String, PathBuf>,
    needs_of: &dyn Fn(&Path) -> Result<Needs>,
) -> Result<Closure> {
    let mut closure = Closure::default();
    // A library's name, and who wants it.
    let mut wanted: Vec<(String, String)> = Vec::new();
    for program in programs {
        let name = program.display().to_string();
        for library in needs_of(program)?.libraries {
            wanted.push((library, name.clone()));
        }
    }
    for root in roots {
        wanted.push(((*root).to_owned(), "the engine, at run time".to_owned()));
    }
    while let Some((name, by)) = wanted.pop() {
        if closure.libraries.contains_key(&name) || SYSTEM.contains(&name.as_str()) {
            if SYSTEM.contains(&name.as_str()) {
                closure.system.insert(name);
            }
            continue;
        }
        let Some(path) = available.get(&name) else {
            bail!("{by} needs {name}, which is neither part of libtorch nor of every Linux system");
        };
        let needs = needs_of(path)?;
        for library in &needs.libraries {
            wanted.push((library.clone(), name.clone()));
        }
        for library in opened_by(&name, available)? {
            wanted.push((library, name.clone()));
        }
        let path = path.clone();
        closure.libraries.insert(name, Library { path, needs });
    }
    Ok(closure)
}

/// The libraries that `name` opens while it runs.
fn opened_by(name: &str, available: &BTreeMap<String, PathBuf>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (_, patterns) in OPENED.iter().filter(|(opener, _)| *opener == name) {
        for pattern in *patterns {
            let before = found.len();
            let matches = |file: &&String| match pattern.strip_suffix('*') {
                Some(beginning) => file.starts_with(beginning),
                None => file.as_str() == *pattern,
            };
            found.extend(available.keys().filter(matches).cloned());
            if found.len() == before {
                bail!(
                    "{name} opens {pattern} at run time, and there is none: is libtorch complete?"
                );
            }
        }
    }
    Ok(found)
}

/// Where the libraries of an unpacked libtorch lie: torch's, and those of each NVIDIA package.
///
/// # Errors
/// A folder cannot be read.
pub(crate) fn library_folders(libtorch: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = vec![libtorch.join("torch/lib")];
    let nvidia = libtorch.join("nvidia");
    let entries = nvidia
        .read_dir()
        .with_context(|| format!("cannot read {}", nvidia.display()))?;
    for entry in entries {
        folders.push(entry?.path().join("lib"));
    }
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    Ok(folders)
}

/// Shared libraries by file name. The first folder that has one wins, as with the dynamic linker.
fn libraries_in(folders: &[PathBuf]) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for folder in folders {
        let entries = folder
            .read_dir()
            .with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_file() && (name.ends_with(".so") || name.contains(".so.")) {
                found.entry(name).or_insert(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line: a library, a colon, what it needs; as `readelf -d` shows it of the CUDA wheels.
    const CUDA: &str = "\
        libtorch_cpu.so: libc10.so libgomp.so.1 libcupti.so.13 libcudart.so.13 libstdc++.so.6 libc.so.6
        libc10.so: libstdc++.so.6 libc.so.6
        libgomp.so.1: libc.so.6
        libcupti.so.13: libutil.so.1 libc.so.6
        libcudart.so.13: libc.so.6
        libtorch_cuda.so: libtorch_nvshmem.so libc10_cuda.so libcudnn.so.9 libcublas.so.13 libtorch_cpu.so
        libtorch_nvshmem.so: libtorch_cpu.so libnvshmem_host.so.3
        libnvshmem_host.so.3: libc.so.6
        libc10_cuda.so: libc10.so libcudart.so.13
        libcudnn.so.9: libc.so.6
        libcudnn_graph.so.9: libcudnn.so.9
        libcudnn_engines_precompiled.so.9: libcudnn_graph.so.9 libz.so.1
        libcublas.so.13: libcublasLt.so.13
        libcublasLt.so.13: libc.so.6
        libtorch_cuda_linalg.so: libcusolver.so.12
        libcusolver.so.12: libnvJitLink.so.13
        libnvJitLink.so.13: libc.so.6
        libcaffe2_nvrtc.so: libnvrtc.so.13 libcuda.so.1
        libnvrtc.so.13: libc.so.6
        libnvrtc-builtins.so.13.0: libc.so.6
        libtorch_python.so: libtorch_cpu.so
        libcufftw.so.12: libc.so.6";

    fn parse(table: &str) -> (BTreeMap<String, PathBuf>, BTreeMap<PathBuf, Needs>) {
        let mut available = BTreeMap::new();
        let mut needs = BTreeMap::new();
        for line in table.lines() {
            let (name, libraries) = line.trim().split_once(':').unwrap();
            let libraries = libraries.split_whitespace().map(str::to_owned).collect();
            available.insert(name.to_owned(), PathBuf::from(name));
            let entry = Needs {
                libraries,
                ..Needs::default()
            };
            needs.insert(PathBuf::from(name), entry);
        }
        let engine = Needs {
            libraries: vec!["libtorch_cpu.so".into(), "libc10.so".into()],
            ..Needs::default()
        };
        needs.insert("engine".into(), engine);
        (available, needs)
    }

    fn names_of(table: &str, roots: &[&str]) -> Result<Vec<String>> {
        let (available, needs) = parse(table);
        let needs_of = |path: &Path| Ok(needs[path].clone());
        let closure = follow(&["engine".into()], roots, &available, &needs_of)?;
        Ok(closure.libraries.into_keys().collect())
    }

    /// Guards the size of what users download: no CUDA where none was asked for.
    #[test]
    fn the_cpu_closure_is_small() {
        let expected = [
            "libc10.so",
            "libcudart.so.13",
            "libcupti.so.13",
            "libgomp.so.1",
            "libtorch_cpu.so",
        ];
        assert_eq!(names_of(CUDA, &[]).unwrap(), expected);
    }

    /// Guards CUDA: a library that is opened only when a model runs is missed by nobody before.
    #[test]
    fn the_cuda_closure_follows_what_is_opened_at_run_time() {
        let names = names_of(CUDA, &[CUDA_ROOT]).unwrap();
        for needed in [
            "libtorch_cuda.so",
            "libcudnn_graph.so.9",
            "libcudnn_engines_precompiled.so.9",
            "libtorch_cuda_linalg.so",
            "libnvJitLink.so.13",
            "libnvrtc-builtins.so.13.0",
            "libnvshmem_host.so.3",
        ] {
            assert!(names.iter().any(|name| name == needed), "{needed}");
        }
        for unused in ["libtorch_python.so", "libcufftw.so.12"] {
            assert!(names.iter().all(|name| name != unused), "{unused}");
        }
    }

    /// Guards against an archive that only starts on the machine it was made on.
    #[test]
    fn what_is_nowhere_is_named_with_who_wants_it() {
        let without = |gone: &str| {
            let kept = CUDA.lines().filter(|line| !line.trim().starts_with(gone));
            kept.collect::<Vec<_>>().join("\n")
        };
        let error = names_of(&without("libcublasLt"), &[CUDA_ROOT]).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("libcublas.so.13 needs libcublasLt.so.13"),
            "{message}"
        );
        let error = names_of(&without("libcudnn_"), &[CUDA_ROOT]).unwrap_err();
        assert!(
            error.to_string().contains("libcudnn.so.9 opens libcudnn_*"),
            "{error}"
        );
    }

    #[test]
    fn the_system_libraries_are_listed_apart() {
        let (available, needs) = parse(CUDA);
        let needs_of = |path: &Path| Ok(needs[path].clone());
        let closure = follow(&["engine".into()], &[], &available, &needs_of).unwrap();
        let system: Vec<_> = closure.system.iter().map(String::as_str).collect();
        assert_eq!(system, ["libc.so.6", "libstdc++.so.6", "libutil.so.1"]);
    }
}

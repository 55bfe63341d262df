//! `install.sh` as users run it, on a package of small files.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::contents::Contents;
use super::texts;
use crate::setup::Flavour;

/// A home, a package to install there, and programs that can be made to fail.
struct Machine {
    root: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Machine {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(machine.home()).unwrap();
        fs::create_dir_all(machine.path("shims")).unwrap();
        machine
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }

    /// A space in it: many homes have one.
    fn home(&self) -> PathBuf {
        self.path("the home")
    }

    fn at_home(&self, relative: &str) -> PathBuf {
        self.home().join(relative)
    }

    /// An unpacked archive whose every file says `version`.
    fn package(&self, version: &str) -> PathBuf {
        let folder = self.path("an archive").join(version);
        for name in [
            "Bunri.clap",
            "Bunri.vst3/Contents/x86_64-linux/Bunri.so",
            "bunri-engine/libbunri_engine.so",
            "bunri-engine/libtorch/libtorch_cpu.so",
        ] {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, version).unwrap();
        }
        for program in ["bounce", "trainer"] {
            let path = folder.join("bunri-engine").join(program);
            fs::write(&path, format!("#!/bin/sh\necho {version}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        texts::write(&folder, Flavour::Cpu, &Contents::default()).unwrap();
        folder
    }

    fn run(&self, package: &Path, arguments: &[&str]) -> Output {
        let path = std::env::var("PATH").unwrap();
        Command::new("sh")
            .arg(package.join("install.sh"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", format!("{}:{path}", self.path("shims").display()))
            .output()
            .unwrap()
    }

    /// Puts a script before the program of that name.
    fn shim(&self, name: &str, script: &str) {
        let path = self.path("shims").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn unshim(&self, name: &str) {
        fs::remove_file(self.path("shims").join(name)).unwrap();
    }

    /// Everything installed is of this version, whole, and nothing else lies about.
    fn assert_is(&self, version: &str) {
        for name in INSTALLED {
            let found = fs::read_to_string(self.at_home(name)).unwrap();
            assert_eq!(found, version, "{name}");
        }
        self.assert_tidy();
    }

    fn assert_tidy(&self) {
        for folder in [".clap", ".vst3", ".local/share/bunri"] {
            let names: Vec<_> = entries(&self.at_home(folder));
            assert!(names.len() <= 1, "{folder}: {names:?}");
        }
    }
}

const INSTALLED: [&str; 4] = [
    ".clap/Bunri.clap",
    ".vst3/Bunri.vst3/Contents/x86_64-linux/Bunri.so",
    ".local/share/bunri/engine/libbunri_engine.so",
    ".local/share/bunri/engine/libtorch/libtorch_cpu.so",
];

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn succeeds(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    said
}

fn fails(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Guards the whole life of an installation, and a host that has the old version open meanwhile.
#[test]
fn it_installs_updates_and_goes_without_a_trace() {
    let machine = Machine::new();
    succeeds(&machine.run(&machine.package("one"), &[]));
    machine.assert_is("one");
    let program = machine.at_home(".local/bin/bunri-bounce");
    let said = Command::new(&program).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "one\n");

    let mut held = fs::File::open(machine.at_home(".clap/Bunri.clap")).unwrap();
    succeeds(&machine.run(&machine.package("two"), &[]));
    machine.assert_is("two");
    let mut still = String::new();
    held.read_to_string(&mut still).unwrap();
    assert_eq!(still, "one", "a host's open library was written into");

    // What was installed takes itself away: the archive may be gone by then.
    let engine = machine.at_home(".local/share/bunri/engine");
    succeeds(&machine.run(&engine, &["--uninstall"]));
    for folder in [".clap", ".vst3", ".local/bin", ".local/share"] {
        assert!(entries(&machine.at_home(folder)).is_empty(), "{folder}");
    }
    let again = succeeds(&machine.run(&machine.package("two"), &["--uninstall"]));
    assert!(again.contains("was not installed"), "{again}");
}

/// Guards against a damaged download taking the place of a good installation.
#[test]
fn a_damaged_archive_changes_nothing() {
    let machine = Machine::new();
    succeeds(&machine.run(&machine.package("one"), &[]));
    let damaged = machine.package("two");
    fs::write(damaged.join("bunri-engine/libtorch/libtorch_cpu.so"), "tw0").unwrap();
    let error = fails(&machine.run(&damaged, &[]));
    assert!(error.contains("libtorch_cpu.so: FAILED"), "{error}");
    assert!(error.contains("Nothing was changed"), "{error}");
    machine.assert_is("one");
}

/// Guards against finding out only in the host that a library is missing on this system.
#[test]
fn what_does_not_start_here_changes_nothing() {
    let machine = Machine::new();
    succeeds(&machine.run(&machine.package("one"), &[]));
    let package = machine.package("two");
    let script = "#!/bin/sh\necho 'libstdc++.so.6: cannot open' >&2\nexit 127\n";
    fs::write(package.join("bunri-engine/bounce"), script).unwrap();
    texts::write(&package, Flavour::Cpu, &Contents::default()).unwrap();
    let error = fails(&machine.run(&package, &[]));
    assert!(error.contains("libstdc++.so.6: cannot open"), "{error}");
    machine.assert_is("one");

    machine.shim("getconf", "echo glibc 2.31");
    let package = machine.package("three");
    let script = fs::read_to_string(package.join("install.sh")).unwrap();
    let newer = script.replace("needed_glibc=0.0", "needed_glibc=2.34");
    assert_ne!(newer, script);
    fs::write(package.join("install.sh"), newer).unwrap();
    let error = fails(&machine.run(&package, &[]));
    assert!(
        error.contains("glibc is 2.31, and 2.34 is needed"),
        "{error}"
    );
    machine.assert_is("one");
}

/// Guards against half an installation: whichever rename fails, everything is the old version.
#[test]
fn whichever_step_fails_the_old_version_is_whole() {
    let machine = Machine::new();
    succeeds(&machine.run(&machine.package("one"), &[]));
    let package = machine.package("two");
    let count = machine.path("renames");
    let mut failed = 0;
    // Three things are replaced by two renames each.
    for step in 1..=6 {
        fs::write(&count, "").unwrap();
        let (file, mv) = (count.display(), "/bin/mv");
        machine.shim(
            "mv",
            &format!(
                "echo >> '{file}'\n[ $(wc -l < '{file}') -ne {step} ] || exit 1\nexec {mv} \"$@\""
            ),
        );
        let error = fails(&machine.run(&package, &[]));
        assert!(
            error.contains("What was there before is there again"),
            "{error}"
        );
        machine.unshim("mv");
        machine.assert_is("one");
        failed += 1;
    }
    assert_eq!(failed, 6);
    succeeds(&machine.run(&package, &[]));
    machine.assert_is("two");
}

/// Guards against a run that was killed between two renames: the next one mends what it left.
#[test]
fn the_next_run_mends_what_a_killed_one_left() {
    let machine = Machine::new();
    let package = machine.package("one");
    succeeds(&machine.run(&package, &[]));
    let clap = machine.at_home(".clap");
    fs::rename(
        clap.join("Bunri.clap"),
        clap.join(".Bunri.clap.bunri-old-77"),
    )
    .unwrap();
    fs::write(clap.join(".Bunri.clap.bunri-new-77"), "half").unwrap();
    let damaged = machine.package("two");
    fs::write(damaged.join("bunri-engine/bounce"), "#!/bin/sh\nexit 1\n").unwrap();
    texts::write(&damaged, Flavour::Cpu, &Contents::default()).unwrap();
    fails(&machine.run(&damaged, &[]));
    machine.assert_is("one");
}

/// Guards a system-wide installation, in which the engine is found beside the plugins.
#[test]
fn a_prefix_holds_everything() {
    let machine = Machine::new();
    let prefix = machine.path("a prefix");
    let arguments = ["--prefix", prefix.to_str().unwrap()];
    let package = machine.package("one");
    for _ in 0..2 {
        succeeds(&machine.run(&package, &arguments));
        for name in [
            "lib/clap/Bunri.clap",
            "lib/clap/bunri-engine/libbunri_engine.so",
            "lib/vst3/Bunri.vst3/Contents/x86_64-linux/Bunri.so",
            "lib/vst3/bunri-engine/libtorch/libtorch_cpu.so",
            "bin/bunri-trainer",
        ] {
            assert!(prefix.join(name).exists(), "{name}");
        }
    }
    assert!(entries(&machine.home()).is_empty());
    succeeds(&machine.run(&package, &[&arguments[..], &["--uninstall"]].concat()));
    for folder in ["lib/clap", "lib/vst3", "bin"] {
        assert!(entries(&prefix.join(folder)).is_empty(), "{folder}");
    }
    assert!(!prefix.join("lib/bunri").exists());
}

/// Guards a program of the user's that happens to have the name of our link.
#[test]
fn a_foreign_program_is_left_alone() {
    let machine = Machine::new();
    let foreign = machine.at_home(".local/bin/bunri-bounce");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, "mine").unwrap();
    let package = machine.package("one");
    let said = succeeds(&machine.run(&package, &[]));
    assert!(said.contains("left alone"), "{said}");
    succeeds(&machine.run(&package, &["--uninstall"]));
    assert_eq!(fs::read_to_string(&foreign).unwrap(), "mine");
}

/// Guards against an engine that was put beside the plugin by hand staying in use unseen.
#[test]
fn an_engine_that_would_be_found_first_is_named() {
    let machine = Machine::new();
    fs::create_dir_all(machine.at_home(".clap/bunri-engine")).unwrap();
    let said = succeeds(&machine.run(&machine.package("one"), &[]));
    assert!(
        said.contains("will be used in place of the engine"),
        "{said}"
    );
}

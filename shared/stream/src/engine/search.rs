//! Where an engine, and the libtorch it needs, are looked for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::foreign;

/// Environment variable with a folder that is looked at before all others.
pub const ENGINE_DIR_VARIABLE: &str = "BUNRI_ENGINE_DIR";

/// Folder beside a bundle, or inside it, that holds an engine and all it needs.
pub const ENGINE_FOLDER: &str = "bunri-engine";

/// Folder inside an engine's folder that holds libtorch. The engine's run path names it as well.
pub const LIBTORCH_FOLDER: &str = "libtorch";

/// The engine's file name on this platform.
#[must_use]
pub fn library_name() -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}bunri_engine{DLL_SUFFIX}")
}

/// Folders to look in, in order, without repetitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPath {
    folders: Vec<PathBuf>,
}

impl SearchPath {
    /// Looks in these folders only.
    #[must_use]
    pub fn new(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut path = Self {
            folders: Vec::new(),
        };
        for folder in folders {
            path.push(folder);
        }
        path
    }

    /// The folder of `BUNRI_ENGINE_DIR`; beside and inside the bundle that this code was loaded
    /// from; what the checkout has built, where this is a program that cargo has built there; the user's
    /// data folder.
    #[must_use]
    pub fn standard() -> Self {
        Self::around(foreign::own_library().as_deref())
    }

    /// Like [`SearchPath::standard`], around the plugin library `library` where given.
    #[must_use]
    pub fn around(library: Option<&Path>) -> Self {
        Self::assemble(
            std::env::var_os(ENGINE_DIR_VARIABLE),
            library,
            user_folder(),
        )
    }

    fn assemble(
        variable: Option<OsString>,
        library: Option<&Path>,
        user_folder: Option<PathBuf>,
    ) -> Self {
        let mut path = Self {
            folders: Vec::new(),
        };
        if let Some(folder) = variable.filter(|folder| !folder.is_empty()) {
            path.push(folder.into());
        }
        if let Some(library) = library {
            path.push_around(library);
            // Developers link bundles into the plugin folders: look where the link leads, too.
            if let Ok(target) = library.canonicalize() {
                path.push_around(&target);
            }
        }
        if let Some(folder) = user_folder {
            path.push(folder);
        }
        path
    }

    /// Beside the library; if it lies in a bundle (`Name.vst3/Contents/x86_64-linux/Name.so`), in
    /// the bundle's resources and beside the bundle.
    fn push_around(&mut self, library: &Path) {
        let Some(folder) = library.parent() else {
            return;
        };
        self.push(folder.to_owned());
        self.push(folder.join(ENGINE_FOLDER));
        if let Some(target) = cargo_target_folder(library) {
            self.push(target.join("bundled").join(ENGINE_FOLDER));
            self.push(target.join("release"));
            self.push(target.join("debug"));
        }
        let Some(contents) = folder
            .parent()
            .filter(|parent| parent.ends_with("Contents"))
        else {
            return;
        };
        let resources = contents.join("Resources");
        self.push(resources.join(ENGINE_FOLDER));
        self.push(resources);
        if let Some(beside) = contents.parent().and_then(Path::parent) {
            self.push(beside.join(ENGINE_FOLDER));
        }
    }

    fn push(&mut self, folder: PathBuf) {
        if !self.folders.contains(&folder) {
            self.folders.push(folder);
        }
    }

    /// The folders in order.
    #[must_use]
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Engine files that exist now, in order.
    pub(super) fn engine_files(&self) -> Vec<PathBuf> {
        let name = library_name();
        self.folders
            .iter()
            .map(|folder| folder.join(&name))
            .filter(|file| file.exists())
            .collect()
    }

    /// Copies of libtorch that exist now, in order: an engine without libtorch beside it may use
    /// the one of another folder, such as the user's.
    pub(super) fn libtorch_files(&self) -> Vec<PathBuf> {
        use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
        let name = format!("{DLL_PREFIX}torch_cpu{DLL_SUFFIX}");
        self.folders
            .iter()
            .map(|folder| folder.join(LIBTORCH_FOLDER).join(&name))
            .filter(|file| file.exists())
            .collect()
    }
}

/// The folder that cargo builds into, where `library` is what it has built there: it leaves a tag.
fn cargo_target_folder(library: &Path) -> Option<&Path> {
    let target = library.parent()?.parent()?;
    target.join("CACHEDIR.TAG").is_file().then_some(target)
}

/// Whether cargo has built what this code is a part of, and left it where it was built.
pub(super) fn runs_in_a_checkout() -> bool {
    foreign::own_library().is_some_and(|library| cargo_target_folder(&library).is_some())
}

/// The user's own engine folder: `$XDG_DATA_HOME/bunri/engine`, or `~/.local/share/bunri/engine`.
#[must_use]
pub fn user_folder() -> Option<PathBuf> {
    user_folder_from(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))
}

fn user_folder_from(data_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    // The XDG specification: relative paths in these variables are to be ignored.
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let data = data_home.and_then(absolute).or_else(|| {
        home.and_then(absolute)
            .map(|home| home.join(".local/share"))
    })?;
    Some(data.join("bunri/engine"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(path: &SearchPath) -> Vec<&str> {
        path.folders()
            .iter()
            .map(|folder| folder.to_str().unwrap())
            .collect()
    }

    /// Guards the layouts that bundles are installed in: an engine there must be found.
    #[test]
    fn the_variable_comes_first_then_the_bundle_then_the_user() {
        let clap = SearchPath::assemble(
            Some("/wanted".into()),
            Some(Path::new("/home/me/.clap/Bunri.clap")),
            Some("/home/me/.local/share/bunri/engine".into()),
        );
        assert_eq!(
            folders(&clap),
            [
                "/wanted",
                "/home/me/.clap",
                "/home/me/.clap/bunri-engine",
                "/home/me/.local/share/bunri/engine"
            ]
        );
        let vst3 = SearchPath::assemble(
            None,
            Some(Path::new(
                "/usr/lib/vst3/Bunri.vst3/Contents/x86_64-linux/Bunri.so",
            )),
            None,
        );
        assert_eq!(
            folders(&vst3),
            [
                "/usr/lib/vst3/Bunri.vst3/Contents/x86_64-linux",
                "/usr/lib/vst3/Bunri.vst3/Contents/x86_64-linux/bunri-engine",
                "/usr/lib/vst3/Bunri.vst3/Contents/Resources/bunri-engine",
                "/usr/lib/vst3/Bunri.vst3/Contents/Resources",
                "/usr/lib/vst3/bunri-engine",
            ]
        );
    }

    /// Guards developers' set-ups: the plugin folder holds a link, the engine lies at its target.
    #[cfg(unix)]
    #[test]
    fn a_linked_plugin_is_followed_to_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (installed, built) = (root.join("installed"), root.join("built"));
        std::fs::create_dir(&installed).unwrap();
        std::fs::create_dir(&built).unwrap();
        std::fs::write(built.join("Bunri.clap"), "").unwrap();
        std::os::unix::fs::symlink(built.join("Bunri.clap"), installed.join("Bunri.clap")).unwrap();
        let path = SearchPath::assemble(None, Some(&installed.join("Bunri.clap")), None);
        let beside = |folder: &Path| [folder.to_owned(), folder.join(ENGINE_FOLDER)];
        assert_eq!(
            path.folders(),
            [beside(&installed), beside(&built)].concat()
        );
    }

    /// Guards `cargo run -p bunri-standalone` in a checkout: it played dry beside the engine that the
    /// checkout had built.
    #[test]
    fn a_program_of_a_checkout_finds_the_checkouts_engine() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("target");
        let program = target.join("release/bunri-standalone");
        std::fs::create_dir_all(target.join("release")).unwrap();
        let elsewhere = SearchPath::assemble(None, Some(&program), None);
        assert!(!elsewhere.folders().contains(&target.join("debug")));
        std::fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        let folders = SearchPath::assemble(None, Some(&program), Some("/user".into())).folders;
        let expected = [
            "release",
            "release/bunri-engine",
            "bundled/bunri-engine",
            "debug",
        ];
        let mut expected: Vec<_> = expected.iter().map(|folder| target.join(folder)).collect();
        expected.push("/user".into());
        assert_eq!(folders, expected);
    }

    #[test]
    fn the_users_folder_follows_the_xdg_rules() {
        let from = |data: Option<&str>, home: Option<&str>| {
            user_folder_from(data.map(Into::into), home.map(Into::into))
        };
        assert_eq!(
            from(Some("/data"), Some("/me")),
            Some("/data/bunri/engine".into())
        );
        let default = Some("/me/.local/share/bunri/engine".into());
        assert_eq!(from(None, Some("/me")), default);
        assert_eq!(from(Some("relative"), Some("/me")), default);
        assert_eq!(from(None, None), None);
    }

    /// Guards against an empty `BUNRI_ENGINE_DIR` meaning the host's working folder.
    #[test]
    fn an_empty_variable_is_no_folder() {
        assert!(
            SearchPath::assemble(Some("".into()), None, None)
                .folders()
                .is_empty()
        );
    }

    /// Guards `dladdr`: without it no bundle would find the engine beside it.
    #[test]
    fn the_library_that_holds_this_code_is_found() {
        let own = foreign::own_library().unwrap().canonicalize().unwrap();
        assert_eq!(
            own,
            std::env::current_exe().unwrap().canonicalize().unwrap()
        );
    }
}

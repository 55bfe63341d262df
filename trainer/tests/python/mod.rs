//! A Python with a reference package, where one is at hand.

use std::path::PathBuf;

/// The Python that `BUNRI_PYTHON` names, or the system's, if it has the package.
pub(crate) fn python_with(package: &str) -> Option<PathBuf> {
    let python = std::env::var_os("BUNRI_PYTHON").unwrap_or_else(|| "python3".into());
    let import = std::process::Command::new(&python)
        .args([
            "-c",
            &format!("import importlib.metadata as m; m.version({package:?})"),
        ])
        .env_remove("LD_LIBRARY_PATH")
        .stderr(std::process::Stdio::null())
        .status();
    let found = import.is_ok_and(|status| status.success());
    if !found {
        println!(
            "SKIPPED: {} has no {package}; BUNRI_PYTHON names another",
            python.display()
        );
    }
    found.then(|| python.into())
}

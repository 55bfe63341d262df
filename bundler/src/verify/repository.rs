//! What lies in the repository: nothing huge, nothing that only means something on the machine it was
//! written on, and documents whose links lead somewhere.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::megabytes;

const MAX_FILE_BYTES: u64 = 20 << 20;
const MAX_TOTAL_BYTES: u64 = 45 << 20;

/// Checks the size of every tracked file, their sum, the text files for paths of this machine, and the
/// documents for dead links.
///
/// # Errors
/// Lists everything that is wrong.
pub(crate) fn check(root: &Path) -> Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .context("cannot start git")?;
    if !listed.status.success() {
        // A release archive has no repository to check.
        eprintln!(
            "not checked: {}",
            String::from_utf8_lossy(&listed.stderr).trim()
        );
        return Ok(());
    }
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let files: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
    let home = std::env::var("HOME").unwrap_or_default();
    let places = places_of(&root.to_string_lossy(), &home);
    let faults = faults_in(root, &files, &places)?;
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(())
}

/// Paths that no tracked file should name: this checkout's and this user's.
fn places_of(root: &str, home: &str) -> Vec<String> {
    // A home as short as `/` is a machine without users, and would be found everywhere.
    [root, home]
        .iter()
        .filter(|place| place.len() > 1)
        .map(|place| format!("{}/", place.trim_end_matches('/')))
        .collect()
}

fn faults_in(root: &Path, files: &[&str], places: &[String]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut total_bytes = 0;
    for file in files {
        let path = root.join(file);
        let Ok(data) = fs::symlink_metadata(&path) else {
            // Deleted here, and not committed yet.
            continue;
        };
        total_bytes += data.len();
        if data.len() > MAX_FILE_BYTES {
            let (found, allowed) = (megabytes(data.len()), megabytes(MAX_FILE_BYTES));
            faults.push(format!("{file}: {found}, more than {allowed}"));
        }
        if data.is_file() {
            let content = fs::read(&path).with_context(|| format!("cannot read {file}"))?;
            if let Ok(text) = str::from_utf8(&content) {
                for place in places.iter().filter(|place| text.contains(place.as_str())) {
                    faults.push(format!(
                        "{file}: names `{place}`, which exists on this machine only"
                    ));
                }
                if file.ends_with(".md") {
                    faults
                        .extend(dead_links(&path, text).map(|link| {
                            format!("{file}: links to `{link}`, which does not exist")
                        }));
                }
            }
        }
    }
    if total_bytes > MAX_TOTAL_BYTES {
        let (found, allowed) = (megabytes(total_bytes), megabytes(MAX_TOTAL_BYTES));
        faults.push(format!(
            "all tracked files together: {found}, more than {allowed}"
        ));
    }
    Ok(faults)
}

/// The Markdown links of a document that name a file of this repository and find none.
fn dead_links<'a>(document: &'a Path, text: &'a str) -> impl Iterator<Item = &'a str> {
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    links.filter(move |link| {
        let path = link.split('#').next().unwrap_or_default();
        let elsewhere =
            path.is_empty() || path.contains("://") || path.contains(char::is_whitespace);
        !elsewhere && !document.with_file_name(path).exists()
    })
}

#[cfg(test)]
mod checks {
    use super::*;

    /// Guards against a training run or a path of one's own slipping into a commit.
    #[test]
    fn large_files_and_paths_of_this_machine_are_found() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("good"), "see ../shared").unwrap();
        fs::write(root.path().join("bad"), "cd /somewhere/checkout/src").unwrap();
        let large = fs::File::create(root.path().join("large")).unwrap();
        large.set_len(MAX_FILE_BYTES + 1).unwrap();
        let places = places_of("/somewhere/checkout", "/");
        assert_eq!(places, ["/somewhere/checkout/"]);
        let faults = faults_in(root.path(), &["good", "bad", "large", "gone"], &places).unwrap();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].starts_with("bad: names"));
        assert!(faults[1].starts_with("large: 21.0 MB"));
    }

    /// Guards against documents that send their readers nowhere after a file was moved.
    #[test]
    fn links_to_files_that_are_gone_are_found() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("docs")).unwrap();
        fs::write(
            root.path().join("README.md"),
            "[a](docs/a.md#part), [b](docs/b.md)",
        )
        .unwrap();
        fs::write(
            root.path().join("docs/a.md"),
            "[up](../README.md), [top](#top), [web](https://example.org/x), f(x)[0](y z)",
        )
        .unwrap();
        let faults = faults_in(root.path(), &["README.md", "docs/a.md"], &[]).unwrap();
        assert_eq!(
            faults,
            ["README.md: links to `docs/b.md`, which does not exist"]
        );
    }
}

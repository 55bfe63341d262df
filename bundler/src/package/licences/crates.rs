//! The licence texts of the Rust libraries that are linked into what users get.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::texts_below;
use crate::checkout::Checkout;
use crate::package::PROGRAMS;

/// Folders of a crate whose contents are not linked into anything of ours.
const NOT_LINKED: [&str; 10] = [
    "tests",
    "test",
    "examples",
    "example",
    "benches",
    "samples",
    "doc",
    "cmake",
    "vstgui4",
    "AudioUnitSDK",
];

const MIT: &str = include_str!("../../../../LICENSE-MIT");
const APACHE: &str = include_str!("../../../../LICENSE-APACHE");
const ISC: &str = include_str!("../texts/ISC.txt");

/// One linked crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    licence: String,
    authors: String,
    folder: String,
}

/// A list of the crates, then each text once, with the crates that it belongs to.
///
/// # Errors
/// cargo cannot read the workspace, or a crate has no licence text and none can stand in for it.
pub(super) fn texts(checkout: &Checkout) -> Result<String> {
    let output = checkout
        .cargo_at_root()
        .args(["metadata", "--locked", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .output()
        .context("cannot start cargo")?;
    let metadata = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    // What users get is built from these.
    let mut roots = BTreeSet::from(["bunri-plugin", "bunri-engine"]);
    roots.extend(PROGRAMS.iter().map(|(package, _)| *package));
    let crates = linked(&metadata, &roots)?;
    let texts = crates
        .iter()
        .map(|linked| Ok((linked, texts_of(linked)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(page(&texts))
}

/// All crates of others that `roots` link, without what only builds or tests them.
fn linked(metadata: &Value, roots: &BTreeSet<&str>) -> Result<BTreeSet<Crate>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages: BTreeMap<String, Value> = list(&metadata["packages"])
        .into_iter()
        .map(|package| (text(&package["id"]), package))
        .collect();
    let nodes: BTreeMap<String, Value> = list(&metadata["resolve"]["nodes"])
        .into_iter()
        .map(|node| (text(&node["id"]), node))
        .collect();
    let mut waiting: Vec<String> = packages
        .iter()
        .filter(|(_, package)| {
            package["source"].is_null()
                && package["name"]
                    .as_str()
                    .is_some_and(|name| roots.contains(name))
        })
        .map(|(id, _)| id.clone())
        .collect();
    if waiting.len() != roots.len() {
        bail!("the workspace lacks one of {roots:?}");
    }
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        let package = packages
            .get(&id)
            .with_context(|| format!("cargo does not describe {id}"))?;
        let runs_in_the_compiler = list(&package["targets"]).iter().any(|target| {
            list(&target["kind"])
                .iter()
                .any(|kind| kind == "proc-macro")
        });
        if runs_in_the_compiler || !seen.insert(id.clone()) {
            continue;
        }
        for dependency in list(&nodes[&id]["deps"]) {
            // Kinds are `dev`, `build`, or none for what is linked.
            let kinds = list(&dependency["dep_kinds"]);
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                waiting.push(text(&dependency["pkg"]));
            }
        }
        // A crate of this workspace has no source; its licence is ours.
        if !package["source"].is_null() {
            let authors: Vec<_> = list(&package["authors"]).iter().map(text).collect();
            let manifest = text(&package["manifest_path"]);
            let folder = Path::new(&manifest).parent().unwrap_or(Path::new(""));
            found.insert(Crate {
                name: text(&package["name"]),
                version: text(&package["version"]),
                licence: text(&package["license"]),
                authors: authors.join(", "),
                folder: folder.display().to_string(),
            });
        }
    }
    Ok(found)
}

/// The texts that a crate comes with, or else the usual text of the licence that it names.
fn texts_of(linked: &Crate) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    let folder = Path::new(&linked.folder);
    let mut has_its_own = false;
    for path in texts_below(folder, &|name| !NOT_LINKED.contains(&name)) {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
        // What lies deeper is of somebody whose work is inside: a font, a C library.
        has_its_own |= path.parent() == Some(folder);
    }
    if !has_its_own {
        texts.push(stand_in(linked)?);
    }
    Ok(texts)
}

fn stand_in(linked: &Crate) -> Result<String> {
    let names: Vec<&str> = linked.licence.split([' ', '/', '(', ')']).collect();
    let Crate { name, authors, .. } = linked;
    let holder = if authors.is_empty() {
        format!("Copyright (c) the authors of {name}\n\n")
    } else {
        format!("Copyright (c) the authors of {name}: {authors}\n\n")
    };
    if names.contains(&"MIT") {
        // Ours, with their names in place of our own.
        let (_, after) = MIT
            .split_once("\n\nPermission")
            .context("LICENSE-MIT is not the text that it was")?;
        return Ok(format!("MIT License\n\n{holder}Permission{after}"));
    }
    if names.contains(&"ISC") {
        return Ok(format!("ISC License\n\n{holder}{ISC}"));
    }
    if names.contains(&"Apache-2.0") {
        return Ok(APACHE.to_owned());
    }
    bail!(
        "{name} {} is under `{}` and comes without its text: put one beside texts/ISC.txt",
        linked.version,
        linked.licence
    )
}

fn page(crates: &[(&Crate, Vec<String>)]) -> String {
    let mut page = String::from(
        "The Rust libraries inside Bunri's plugin, engine and programs. Where a library may be used\n\
         under one of several licences, Bunri uses it under the first that is listed below for it\n\
         and is not a copyleft licence. The source of each, unchanged, is at\n\
         https://crates.io/crates/NAME/VERSION; this is the offer that the MPL-2.0 asks for, too.\n\n",
    );
    for (linked, _) in crates {
        let Crate {
            name,
            version,
            licence,
            ..
        } = linked;
        page += &format!("{name} {version}: {licence}\n");
    }
    // Texts that differ in spaces and line ends only are one text.
    let mut by_text: BTreeMap<String, (&str, Vec<String>)> = BTreeMap::new();
    for (linked, texts) in crates {
        for text in texts {
            let key = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let (_, users) = by_text.entry(key).or_insert((text, Vec::new()));
            let user = format!("{} {}", linked.name, linked.version);
            if !users.contains(&user) {
                users.push(user);
            }
        }
    }
    for (text, users) in by_text.values() {
        page += &format!("\n{}\n{}\n\n", "=".repeat(80), users.join(", "));
        page += text.trim_end();
        page += "\n";
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, kind: &str, ours: bool) -> Value {
        json!({
            "id": name, "name": name, "version": "1.0.0", "license": "MIT", "authors": ["A. Uthor"],
            "source": if ours { Value::Null } else { json!("registry") },
            "manifest_path": format!("/nowhere/{name}/Cargo.toml"),
            "targets": [{ "kind": [kind] }],
        })
    }

    /// Guards both ways: a linked crate without its licence, and a list full of what is not inside.
    #[test]
    fn only_what_is_linked_is_listed() {
        let node = |name: &str, deps: Value| json!({ "id": name, "deps": deps });
        let kind =
            |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("root", "cdylib", true),
                package("linked", "lib", false),
                package("deeper", "lib", false),
                package("builds", "lib", false),
                package("tests", "lib", false),
                package("macros", "proc-macro", false),
                package("of-macros", "lib", false),
            ],
            "resolve": { "nodes": [
                node("root", json!([
                    kind("linked", Value::Null), kind("builds", json!("build")),
                    kind("tests", json!("dev")), kind("macros", Value::Null),
                ])),
                node("linked", json!([kind("deeper", Value::Null)])),
                node("deeper", json!([])),
                node("macros", json!([kind("of-macros", Value::Null)])),
            ]},
        });
        let found = linked(&metadata, &BTreeSet::from(["root"])).unwrap();
        let names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["deeper", "linked"]);
    }

    fn crate_under(licence: &str) -> Crate {
        Crate {
            name: "bare".into(),
            version: "1.0.0".into(),
            licence: licence.into(),
            authors: "A. Uthor".into(),
            folder: "/nowhere".into(),
        }
    }

    /// Guards against packing a library without any licence, or under our own name.
    #[test]
    fn a_crate_without_a_text_gets_the_usual_one_or_is_refused() {
        for licence in ["MIT/Apache-2.0", "ISC"] {
            let texts = texts_of(&crate_under(licence)).unwrap();
            assert!(
                texts[0].contains("the authors of bare: A. Uthor"),
                "{licence}"
            );
            assert!(!texts[0].contains("Bunri"), "{licence}");
        }
        let refused = texts_of(&crate_under("Sleepycat")).unwrap_err().to_string();
        assert!(
            refused.contains("bare 1.0.0 is under `Sleepycat`"),
            "{refused}"
        );
    }

    /// Guards against taking the licence of a font inside a crate for that of the crate.
    #[test]
    fn what_lies_inside_a_crate_has_its_licence_beside_the_crates_own() {
        let folder = tempfile::tempdir().unwrap();
        let fonts = folder.path().join("fonts");
        fs::create_dir(&fonts).unwrap();
        for (name, text) in [
            ("OFL.txt", "open font"),
            ("Mono.txt", "of the font Mono"),
            ("icons-mit-license.txt", "of the icons"),
            ("readme.txt", "no licence"),
            ("Mono.ttf", "a font"),
        ] {
            fs::write(fonts.join(name), text).unwrap();
        }
        let linked = Crate {
            folder: folder.path().display().to_string(),
            ..crate_under("(MIT OR Apache-2.0) AND OFL-1.1")
        };
        let texts = texts_of(&linked).unwrap();
        assert_eq!(
            texts[..3],
            ["of the font Mono", "open font", "of the icons"]
        );
        assert!(texts[3].starts_with("MIT License"), "{texts:?}");
        assert_eq!(texts.len(), 4);
    }

    #[test]
    fn equal_texts_are_printed_once_for_all_their_crates() {
        let (one, two) = (
            crate_under("MIT"),
            Crate {
                name: "other".into(),
                ..crate_under("MIT")
            },
        );
        let page = page(&[
            (&one, vec!["a  text\n".into()]),
            (&two, vec!["a text".into()]),
        ]);
        assert_eq!(page.matches("text\n").count(), 1, "{page}");
        assert!(page.contains("bare 1.0.0, other 1.0.0"));
    }
}

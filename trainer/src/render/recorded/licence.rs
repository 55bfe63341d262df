//! What is known of a recording's licence.

use std::{fs, path::Path};

/// Freely licensed collections that are recognised by a part of their path.
const KNOWN: [(&str, &str); 8] = [
    ("kit-muldjord", "CC BY 4.0 (DrumGizmo, MuldjordKit)"),
    ("bass-growly", "CC0-1.0"),
    ("bass-meat", "CC0-1.0"),
    ("bass-yr", "CC0-1.0"),
    ("guitar-emily", "CC0-1.0"),
    ("instruments/various", "CC0-1.0"),
    (
        "nitech",
        "CC BY 3.0 (Nagoya Institute of Technology, SONG070 F001)",
    ),
    ("everything-is-free", "CC0-1.0 (Software-Entwicklungskit)"),
];

/// The licence of a file or folder: a known collection's, else the first line of the nearest
/// `LICENSE`, `LICENCE` or `COPYING` file above it.
pub(super) fn of(path: &Path) -> String {
    let text = path.to_string_lossy();
    if let Some((_, licence)) = KNOWN.iter().find(|(part, _)| text.contains(part)) {
        return (*licence).to_owned();
    }
    let names = [
        "LICENSE",
        "LICENSE.txt",
        "LICENCE",
        "LICENCE.txt",
        "COPYING",
    ];
    path.ancestors()
        .take(4)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find_map(|file| fs::read_to_string(file).ok())
        .and_then(|text| {
            text.lines()
                .map(str::trim)
                .find(|line| !line.is_empty())
                .map(str::to_owned)
        })
        .unwrap_or_else(|| {
            "unknown: check it before weights trained on this song are shared".to_owned()
        })
}

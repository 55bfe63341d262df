//! What the models inside the engine say about themselves.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// No card is longer.
const MAX_HEADER_BYTES: u64 = 16 << 20;

/// Licence and origin of every model file in `folder`, all of which are built into the engine.
///
/// # Errors
/// A file is no safetensors file, or its card has no licence.
pub(super) fn cards(folder: &Path) -> Result<String> {
    let mut page =
        String::from("The models inside Bunri's engine and programs, by their own cards.\n");
    let mut files: Vec<_> = folder
        .read_dir()
        .with_context(|| format!("cannot read {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "safetensors")
        })
        .collect();
    files.sort();
    for path in files {
        page += &card(&path).with_context(|| format!("the card of {}", path.display()))?;
    }
    Ok(page)
}

/// A safetensors file begins with the length of a JSON object, and that object.
fn card(path: &Path) -> Result<String> {
    let mut file = File::open(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let bytes = u64::from_le_bytes(length);
    if bytes > MAX_HEADER_BYTES {
        bail!("a header of {bytes} bytes is no model's");
    }
    let mut header = Vec::new();
    file.take(bytes).read_to_end(&mut header)?;
    let header: Value = serde_json::from_slice(&header)?;
    let metadata = &header["__metadata__"];
    let licence = metadata["bunri.licence"]
        .as_str()
        .context("it names no licence")?;
    let provenance = metadata["bunri.provenance"].as_str().unwrap_or("{}");
    let provenance: Value = serde_json::from_str(provenance)?;
    let data = provenance["data"].as_str().unwrap_or("not said");
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(format!(
        "\n{name}\n  Licence: {licence}\n  Trained on: {data}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn model(folder: &Path, header: &str) {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        fs::write(folder.join("small.safetensors"), bytes).unwrap();
    }

    /// Guards against giving a model away without the credits that its training data asks for.
    #[test]
    fn a_card_gives_licence_and_origin_and_a_model_without_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let header = r#"{"__metadata__": {"bunri.licence": "CC-BY-4.0; credits: X",
            "bunri.provenance": "{\"data\": \"songs of Y\"}"}}"#;
        model(folder.path(), header);
        let page = cards(folder.path()).unwrap();
        assert!(
            page.contains("small\n  Licence: CC-BY-4.0; credits: X\n"),
            "{page}"
        );
        assert!(page.contains("Trained on: songs of Y"), "{page}");

        model(folder.path(), r#"{"__metadata__": {}}"#);
        let error = format!("{:#}", cards(folder.path()).unwrap_err());
        assert!(error.contains("it names no licence"), "{error}");
    }
}

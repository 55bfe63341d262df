//! A run's `log.jsonl`, read by whoever shows it: one JSON object per line, of any kind.
//!
//! Nothing here knows what a training logs. Every number that a line holds has a path, and that is
//! all that curves need; kinds of lines that are new tomorrow are shown tomorrow.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// One line.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What kind of line it is: its `event`.
    pub event: String,
    /// The step that it tells of.
    pub step: u64,
    /// The whole line.
    pub value: Value,
}

impl Entry {
    /// A line's entry; `None` if it has no event and no step.
    #[must_use]
    pub fn of(value: Value) -> Option<Self> {
        Some(Self {
            event: value.get("event")?.as_str()?.to_owned(),
            step: value.get("step")?.as_u64()?,
            value,
        })
    }

    /// Every number of the line, with its path below the event: `["losses", "l1"]`. The config of a
    /// `start` is none, nor is the step.
    ///
    /// Of a list of objects each goes by the words in it (`{"discriminator": "periods", "stem":
    /// "bass", "auc": 0.7}` is `["periods", "bass", "auc"]`), or by its number where it has none.
    #[must_use]
    pub fn scalars(&self) -> Vec<(Vec<String>, f64)> {
        let mut found = Vec::new();
        let fields = self.value.as_object().into_iter().flatten();
        for (name, value) in fields {
            if name != "step" && name != "event" && name != "config" {
                collect(value, &mut vec![name.clone()], &mut found);
            }
        }
        found
    }
}

fn collect(value: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, f64)>) {
    match value {
        Value::Number(number) => found.extend(number.as_f64().map(|x| (path.clone(), x))),
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push(name.clone());
                collect(value, path, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            let words = |item: &Value| -> Vec<String> {
                let fields = item
                    .as_object()
                    .into_iter()
                    .flat_map(|fields| fields.values());
                let items = item.as_array().into_iter().flatten();
                let words = fields.chain(items).filter_map(Value::as_str);
                words.map(str::to_owned).collect()
            };
            // A pair of a word and what it names: the list around it has said the word.
            let is_pair = items.iter().any(Value::is_string);
            for (index, item) in items.iter().enumerate() {
                let depth = path.len();
                path.extend(words(item));
                if path.len() == depth && !is_pair {
                    path.push(index.to_string());
                }
                collect(item, path, found);
                path.truncate(depth);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Reads a log. A last line that a kill cut off is left out, and so is what has no step.
///
/// # Errors
/// A file that cannot be read, or that holds not one line of a log.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the log {}", path.display()))?;
    let lines = text.lines();
    let entries: Vec<Entry> = lines
        .filter_map(|line| Entry::of(serde_json::from_str(line).ok()?))
        .collect();
    anyhow::ensure!(
        !entries.is_empty(),
        "{} is no log of a run, or of one that has not begun",
        path.display()
    );
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalars(line: &str) -> Vec<(String, f64)> {
        let entry = Entry::of(serde_json::from_str(line).unwrap()).unwrap();
        let found = entry.scalars().into_iter();
        found.map(|(path, x)| (path.join("/"), x)).collect()
    }

    /// Guards what is shown of lines that nobody has thought of yet.
    #[test]
    fn every_number_has_a_path() {
        let line = r#"{"event": "new", "step": 7, "loss": 1.5, "best": true, "config": {"lr": 1},
            "of": [{"name": "stft", "stem": "bass", "r_v": 0.25}, {"r_v": null, "auc": 1}, 3],
            "stems": [["bass", {"auc": 0.5}], ["other", {"auc": 0.75}]]}"#;
        let expected = [
            ("loss", 1.5),
            ("of/stft/bass/r_v", 0.25),
            ("of/1/auc", 1.0),
            ("of/2", 3.0),
            ("stems/bass/auc", 0.5),
            ("stems/other/auc", 0.75),
        ];
        let expected = expected.map(|(path, x)| (path.to_owned(), x));
        assert_eq!(scalars(line), expected);
    }

    #[test]
    fn a_line_that_was_cut_off_spoils_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let line = r#"{"event":"steps","step":20,"loss":1}"#;
        std::fs::write(&path, format!("{line}\n{{\"event\":\"st")).unwrap();
        assert_eq!(read(&path).unwrap().len(), 1);
        std::fs::write(&path, "hello\n").unwrap();
        assert!(read(&path).is_err());
    }
}

//! How choices are written into the host's state, and read from whatever is found there.
//!
//! ```json
//! {"version": 1,
//!  "model": {"kind": "file", "path": "/models/mine.safetensors", "sha256": "…", "bytes": 5},
//!  "mode": "studio-1",
//!  "device": "cuda:0",
//!  "dropouts": "dry"}
//! ```
//!
//! Reading never fails: a later version's unknown fields are passed over, and each part that cannot
//! be understood stays at its default and is named. A state must never cost a user the parameters
//! beside it.

use bunri_stream::BuiltIn;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::choice::{Choice, ModelChoice, ModelFile};

/// Version of what is written. Readers of an older version pass over what they do not know, so it
/// grows only where the meaning of a known field changes.
pub const VERSION: u64 = 1;

/// What is heard in dropouts, as it is written.
const DRY: &str = "dry";
const SILENCE: &str = "silence";

/// A choice on its way from or to a state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub struct Saved {
    /// What was chosen, defaults where it could not be understood.
    pub choice: Choice,
    /// Whether the input is heard where stems are missing; else silence.
    pub dry_in_dropouts: bool,
    /// What could not be understood, in a sentence for the user.
    pub problem: Option<String>,
}

impl From<Saved> for Value {
    fn from(saved: Saved) -> Self {
        let Saved {
            choice,
            dry_in_dropouts,
            problem: _,
        } = saved;
        let Choice {
            model,
            mode,
            device,
        } = choice;
        let model = match model {
            ModelChoice::Shipped(model) => json!({"kind": model.name()}),
            ModelChoice::File(file) => {
                let mut value = serde_json::to_value(file).unwrap_or_default();
                value["kind"] = "file".into();
                value
            }
        };
        json!({
            "version": VERSION,
            "model": model,
            "mode": mode.to_string(),
            "device": device,
            "dropouts": if dry_in_dropouts { DRY } else { SILENCE },
        })
    }
}

impl From<Value> for Saved {
    fn from(value: Value) -> Self {
        let mut broken = Vec::new();
        let mut part = |name: &'static str, understood: bool| {
            if !understood {
                broken.push(name);
            }
        };
        let mut choice = Choice::default();
        part("settings", value.is_object());
        if let Some(model) = value.get("model") {
            let understood = model_from(model);
            part("model", understood.is_some());
            choice.model = understood.unwrap_or_default();
        }
        if let Some(mode) = value.get("mode") {
            let understood = mode.as_str().and_then(|mode| mode.parse().ok());
            part("mode", understood.is_some());
            choice.mode = understood.unwrap_or(choice.mode);
        }
        if let Some(device) = value.get("device") {
            let understood = device.as_str().filter(|device| !device.is_empty());
            part("device", understood.is_some());
            choice.device = understood.map_or(choice.device, str::to_owned);
        }
        let dropouts = value.get("dropouts").map(Value::as_str);
        let known = [None, Some(Some(DRY)), Some(Some(SILENCE))];
        part("dropouts", known.contains(&dropouts));
        // A shipped model in the other one's mode was never written by this plugin.
        let mode = choice.mode;
        Self {
            choice: choice.with_mode(mode),
            dry_in_dropouts: dropouts == Some(Some(DRY)),
            problem: (!broken.is_empty()).then(|| {
                format!(
                    "the saved {} could not be understood, so the default is used: choose again",
                    broken.join(" and ")
                )
            }),
        }
    }
}

fn model_from(value: &Value) -> Option<ModelChoice> {
    match value.get("kind")?.as_str()? {
        "file" => {
            let file: ModelFile = serde_json::from_value(value.clone()).ok()?;
            (!file.path.as_os_str().is_empty()).then_some(ModelChoice::File(file))
        }
        built_in => BuiltIn::named(built_in).map(ModelChoice::Shipped),
    }
}

#[cfg(test)]
mod tests {
    use bunri_stream::Mode;

    use super::super::choice::Content;
    use super::*;

    fn read(text: &str) -> Saved {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_choice_comes_back() {
        let file = ModelFile {
            content: Some(Content {
                sha256: "ab".into(),
                bytes: 7,
            }),
            ..ModelFile::at("/models/my model.safetensors")
        };
        for mode in Mode::offered() {
            for model in [
                ModelChoice::Shipped(BuiltIn::Live),
                ModelChoice::Shipped(BuiltIn::Studio),
                ModelChoice::File(file.clone()),
                ModelChoice::File(ModelFile::at("/new")),
            ] {
                let choice = Choice {
                    model,
                    mode,
                    device: "cuda:1".into(),
                }
                .with_mode(mode);
                let saved = Saved {
                    choice,
                    dry_in_dropouts: true,
                    problem: None,
                };
                assert_eq!(read(&serde_json::to_string(&saved).unwrap()), saved);
            }
        }
    }

    /// Guards against a later version's project, or a damaged one, that loses more than the part
    /// which cannot be understood.
    #[test]
    fn what_is_unknown_is_passed_over_and_what_is_broken_is_named() {
        let later = read(
            r#"{"version": 9, "shine": 3, "device": "cpu", "model": {"kind": "live", "x": 1}}"#,
        );
        assert_eq!(later.problem, None);
        assert_eq!(later.choice.device, "cpu");

        let broken = read(r#"{"model": {"kind": "file"}, "mode": 7, "device": "cpu"}"#);
        let problem = broken.problem.unwrap();
        assert!(problem.contains("model and mode"), "{problem}");
        assert_eq!(broken.choice.device, "cpu");

        for text in ["null", "[1, 2]", "\"\"", "1e300", r#"{"device": ""}"#] {
            assert!(read(text).problem.is_some(), "{text}");
            assert_eq!(read(text).choice, Choice::default(), "{text}");
        }
    }
}

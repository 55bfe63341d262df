//! From what a file says, or a user, to a config.

use bunri_import::{Item, Package};
use serde_json::{Map, Value, json};

use super::classes::{Class, Goes, config_of};
use super::error::ImportModelError;
use crate::network::NetworkConfig;

/// What the user knows about a file that does not say it itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    /// As [`ARCHITECTURES`](crate::network::ARCHITECTURES) has it; only for weights alone.
    pub architecture: Option<String>,
    /// Fields of the config that differ from what the file says, or from the published model.
    pub fields: Map<String, Value>,
}

/// The class and config of a file, and the arguments that were passed over.
pub(super) fn config(
    package: &Package<'_>,
    hints: &Hints,
) -> Result<(&'static Class, NetworkConfig, Vec<String>), ImportModelError> {
    let (class, (mut fields, dropped)) = match (package.class(), &hints.architecture) {
        (Some(name), hint) => {
            let class = Class::named(name).ok_or_else(|| ImportModelError::Class {
                class: name.to_owned(),
            })?;
            if hint
                .as_deref()
                .is_some_and(|hint| hint != class.architecture)
            {
                return Err(ImportModelError::Named(class.architecture.into()));
            }
            (class, of_arguments(class, name, package)?)
        }
        (None, Some(hint)) => {
            let class = Class::of_architecture(hint)
                .ok_or_else(|| ImportModelError::Architecture(hint.clone()))?;
            let mut fields = Map::new();
            fields.insert("architecture".into(), json!(class.architecture));
            fields.extend(of_shapes(class.architecture, package));
            (class, (fields, Vec::new()))
        }
        (None, None) => return Err(ImportModelError::Unnamed),
    };
    fields.extend(hints.fields.clone());
    Ok((class, config_of(fields)?, dropped))
}

/// The class's arguments, by position and by name. As in the reference, those that the class does
/// not know are dropped: releases have removed some.
fn of_arguments(
    class: &Class,
    name: &str,
    package: &Package<'_>,
) -> Result<(Map<String, Value>, Vec<String>), ImportModelError> {
    let wrong = |argument: &str, what: String| ImportModelError::Argument {
        class: name.to_owned(),
        name: argument.to_owned(),
        what,
    };
    let by_position = package.arguments();
    if by_position.len() > class.parameters.len() {
        let what = format!("the class has {}", class.parameters.len());
        return Err(wrong(&format!("{}", by_position.len()), what));
    }
    let by_position = class
        .parameters
        .iter()
        .zip(by_position)
        .map(|(&(parameter, _), value)| (parameter, value));
    let mut fields = class.base();
    let mut seconds = Vec::new();
    let mut dropped = Vec::new();
    for (parameter, value) in by_position.chain(package.keywords()) {
        let goes = class.parameters.iter().find(|(name, _)| *name == parameter);
        let field = match goes {
            Some((_, Goes::Same)) => parameter,
            Some((_, Goes::To(field))) => field,
            Some((_, Goes::Seconds(field))) => {
                seconds.push((parameter, *field, value));
                continue;
            }
            Some((_, Goes::Nowhere)) => continue,
            None => {
                dropped.push(parameter.to_owned());
                continue;
            }
        };
        let value = plain(&value)
            .ok_or_else(|| wrong(parameter, format!("{} cannot be one", value.kind())))?;
        // Python's way to say "the default", where the default is none.
        let value = match (field, value) {
            ("multi_freqs", Value::Null) => json!([]),
            (_, value) => value,
        };
        fields.insert(field.to_owned(), value);
    }
    // Seconds need the sample rate, wherever it came.
    let rate = fields
        .get("sample_rate")
        .and_then(Value::as_i64)
        .unwrap_or(44_100);
    for (parameter, field, value) in seconds {
        let frames = frames(&value, rate).ok_or_else(|| {
            wrong(
                parameter,
                format!("{} is no number of seconds", value.kind()),
            )
        })?;
        fields.insert(field.to_owned(), json!(frames));
    }
    Ok((fields, dropped))
}

/// `int(segment * samplerate)`, exactly for fractions.
fn frames(seconds: &Item<'_>, rate_hz: i64) -> Option<i64> {
    match seconds.as_fraction() {
        Some((numerator, denominator)) => {
            let product = i128::from(numerator) * i128::from(rate_hz);
            i64::try_from(product / i128::from(denominator)).ok()
        }
        None => Some((seconds.as_f64()? * rate_hz as f64) as i64),
    }
}

/// Numbers, texts, truth values, `None`, and flat lists of them.
fn plain(item: &Item<'_>) -> Option<Value> {
    if item.is_none() {
        return Some(Value::Null);
    }
    if let Some(members) = item.members() {
        let scalars = members.iter().map(|member| match member.members() {
            None => plain(member),
            Some(_) => None,
        });
        return scalars.collect();
    }
    if let Some(value) = item.as_bool() {
        return Some(json!(value));
    }
    if let Some(value) = item.as_i64() {
        return Some(json!(value));
    }
    if let Some(value) = item.as_f64() {
        return Some(json!(value));
    }
    item.as_str().map(|text| json!(text))
}

/// What shapes alone tell about weights without a package. The published files of demucs 2.0.3 are
/// of this kind.
fn of_shapes(architecture: &str, package: &Package<'_>) -> Map<String, Value> {
    let shapes = package.shapes().unwrap_or_default();
    let axis = |name: &str, axis: usize| {
        let (_, shape) = shapes.iter().find(|(key, _)| *key == name)?;
        shape.get(axis).copied()
    };
    // How many there are of `prefix`0`suffix`, `prefix`1`suffix` ..
    let count = |prefix: &str, suffix: &str| {
        (0..100)
            .take_while(|n| axis(&format!("{prefix}{n}{suffix}"), 0).is_some())
            .count()
    };
    let mut fields = Map::new();
    let mut set = |field: &str, value: Option<usize>| {
        if let Some(value) = value {
            fields.insert(field.into(), json!(value));
        }
    };
    match architecture {
        "demucs" => {
            set("channels", axis("encoder.0.0.weight", 0));
            set("audio_channels", axis("encoder.0.0.weight", 1));
            set("kernel_size", axis("encoder.0.0.weight", 2));
            set("context", axis("decoder.0.0.weight", 2));
            set(
                "depth",
                Some(count("encoder.", ".0.weight")).filter(|n| *n > 0),
            );
            set(
                "lstm_layers",
                (!shapes.is_empty()).then(|| count("lstm.lstm.weight_ih_l", "")),
            );
        }
        "conv-tasnet" => {
            set("filters", axis("encoder.conv1d_U.weight", 0));
            set("audio_channels", axis("encoder.conv1d_U.weight", 1));
            set("filter_frames", axis("encoder.conv1d_U.weight", 2));
            set("bottleneck_channels", axis("separator.network.1.weight", 0));
            let block = "separator.network.2.0.0.net";
            set("hidden_channels", axis(&format!("{block}.0.weight"), 0));
            set("kernel_size", axis(&format!("{block}.3.net.0.weight"), 2));
            let blocks = count("separator.network.2.0.", ".net.0.weight");
            set("blocks", Some(blocks).filter(|n| *n > 0));
            let repeats = count("separator.network.2.", ".0.net.0.weight");
            set("repeats", Some(repeats).filter(|n| *n > 0));
        }
        _ => {}
    }
    fields
}

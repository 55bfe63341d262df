//! Scores of a song in museval's own JSON, for the tools that read it.

use std::fmt::Write;

use super::bss_eval::BssScores;

/// The layout that it follows.
const MUSEVAL_VERSION: &str = "0.4.1";

/// The text of `<track>.json` as PyPI `museval` writes it: five decimals, and `NaN` (which is not JSON,
/// but what Python reads) for windows that do not count and for infinite ratios.
///
/// `targets`: name and scores of each stem; windows last one second.
#[must_use]
pub fn museval_json(targets: &[(&str, &BssScores)]) -> String {
    let mut text = String::from("{\n  \"targets\": [");
    for (index, (name, scores)) in targets.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let name = serde_json::Value::from(*name);
        let _ = write!(text, "{comma}\n    {{\"name\": {name}, \"frames\": [");
        let BssScores {
            sdr_db,
            isr_db,
            sir_db,
            sar_db,
            is_determined: _,
        } = scores;
        let frames = sdr_db.iter().zip(sir_db).zip(sar_db).zip(isr_db);
        for (time, (((sdr, sir), sar), isr)) in frames.enumerate() {
            let comma = if time > 0 { "," } else { "" };
            let [sdr, sir, sar, isr] = [sdr, sir, sar, isr].map(|value| number(*value));
            let _ = write!(
                text,
                "{comma}\n      {{\"time\": {time}.0, \"duration\": 1.0, \"metrics\": \
                 {{\"SDR\": {sdr}, \"SIR\": {sir}, \"SAR\": {sar}, \"ISR\": {isr}}}}}"
            );
        }
        text += "\n    ]}";
    }
    let _ = writeln!(
        text,
        "\n  ],\n  \"museval_version\": \"{MUSEVAL_VERSION}\"\n}}"
    );
    text
}

fn number(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.5}")
    } else {
        "NaN".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the keys, which other programs look for, and the one thing that is not JSON.
    #[test]
    fn the_layout_is_museval_s() {
        let scores = BssScores {
            sdr_db: vec![1.0, f64::NAN],
            isr_db: vec![2.0, f64::NAN],
            sir_db: vec![f64::INFINITY, f64::NAN],
            sar_db: vec![3.25, f64::NAN],
            is_determined: true,
        };
        let text = museval_json(&[("vocals", &scores), ("a \"b\"", &scores)]);
        let json: serde_json::Value = serde_json::from_str(&text.replace("NaN", "null")).unwrap();
        let frame = &json["targets"][0]["frames"][0];
        assert_eq!(json["targets"][1]["name"], "a \"b\"");
        assert_eq!(frame["time"], 0.0);
        assert_eq!(frame["duration"], 1.0);
        let metrics = &frame["metrics"];
        assert_eq!(metrics["SDR"], 1.0);
        assert_eq!(metrics["ISR"], 2.0);
        assert_eq!(metrics["SAR"], 3.25);
        assert!(metrics["SIR"].is_null());
        assert_eq!(json["targets"][0]["frames"].as_array().unwrap().len(), 2);
    }
}

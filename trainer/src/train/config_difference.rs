//! In which fields two configs differ, for messages about weights that do not fit.

use std::collections::BTreeSet;

use serde_json::Value;

/// The field that says which others there are.
const KIND: &str = "architecture";

/// Every field below `path` that differs: "model.channels is 4 there and 8 here".
pub(super) fn differences(path: &str, there: &Value, here: &Value) -> Vec<String> {
    let (Value::Object(a), Value::Object(b)) = (there, here) else {
        let differs = there != here;
        return Vec::from_iter(differs.then(|| format!("{path} is {there} there and {here} here")));
    };
    let fields: BTreeSet<&String> = if a.get(KIND) == b.get(KIND) {
        a.keys().chain(b.keys()).collect()
    } else {
        // Networks of two kinds have few fields in common.
        a.keys().filter(|field| *field == KIND).collect()
    };
    let of = |config: &serde_json::Map<String, Value>, field: &String| {
        config.get(field).cloned().unwrap_or_default()
    };
    let below = fields.into_iter().flat_map(|field| {
        let path = format!("{path}.{field}");
        differences(&path, &of(a, field), &of(b, field))
    });
    below.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_that_differ_are_named_with_both_values() {
        let there = json!({"architecture": "demucs", "channels": 4, "depth": 2, "a": {"b": [1]}});
        let mut here = there.clone();
        assert_eq!(differences("model", &there, &here), [""; 0]);
        here["channels"] = json!(8);
        here["a"]["b"] = json!([1, 2]);
        let expected = [
            "model.a.b is [1] there and [1,2] here",
            "model.channels is 4 there and 8 here",
        ];
        assert_eq!(differences("model", &there, &here), expected);
        here["architecture"] = json!("htdemucs");
        let expected = ["model.architecture is \"demucs\" there and \"htdemucs\" here"];
        assert_eq!(differences("model", &there, &here), expected);
    }
}

//! Every number of a log as curves, gathered into charts by what belongs together.

use std::collections::{BTreeMap, BTreeSet};

use crate::run_log::Entry;

/// Points of one name: step and value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What it is called within its chart; empty where the chart has nothing else.
    pub name: String,
    /// In the order of steps.
    pub points: Vec<(u64, f64)>,
}

/// Charts by title: `steps/loss`, `validation/scores/nsdr_db · vocals`.
pub type Charts = BTreeMap<String, Vec<Curve>>;

/// A number of the log: its event, and the names on the way to it.
type Tag = (String, Vec<String>);

/// The charts of a log.
///
/// A number that several things have (`.../SONG/vocals`, `.../DISCRIMINATOR/bass/auc`) is a chart,
/// with a curve for each of them; numbers that are beside each other in a group of their own
/// (`losses/l1`, `losses/si_sdr`) share one; all others have their own.
#[must_use]
pub fn charts(log: &[Entry]) -> Charts {
    let mut tags: BTreeMap<Tag, Vec<(u64, f64)>> = BTreeMap::new();
    for entry in log {
        for (path, value) in entry.scalars() {
            let tag = (entry.event.clone(), path);
            tags.entry(tag).or_default().push((entry.step, value));
        }
    }
    // Groups in which each last name occurs, by event and first name.
    let mut groups: BTreeMap<[&str; 3], BTreeSet<&[String]>> = BTreeMap::new();
    for (event, path) in tags.keys() {
        if let [first, .., last] = path.as_slice() {
            let group = groups.entry([event, first, last]).or_default();
            group.insert(&path[..path.len() - 1]);
        }
    }
    let mut charts = Charts::new();
    for ((event, path), points) in &tags {
        // A number that never changes, of a start for example, is no curve.
        if points.len() < 2 {
            continue;
        }
        let (title, name) = match path.as_slice() {
            [first, middle @ .., last] => {
                let is_shared = groups
                    .get(&[event.as_str(), first.as_str(), last.as_str()])
                    .is_some_and(|parents| parents.len() > 1);
                if is_shared {
                    (format!("{event}/{first} · {last}"), middle.join(" "))
                } else {
                    let parent = path[..path.len() - 1].join("/");
                    (format!("{event}/{parent}"), last.clone())
                }
            }
            _ => (format!("{event}/{}", path.join("/")), String::new()),
        };
        let points = points.clone();
        charts
            .entry(title)
            .or_default()
            .push(Curve { name, points });
    }
    charts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: &[&str]) -> Vec<Entry> {
        let entries = lines.iter().map(|line| serde_json::from_str(line).unwrap());
        entries.filter_map(Entry::of).collect()
    }

    /// Guards against one chart per number, and against all numbers in one.
    #[test]
    fn what_belongs_together_shares_a_chart() {
        let line = |step: u64| {
            format!(
                r#"{{"event": "d", "step": {step}, "rate": 1, "losses": {{"l1": 2, "stft": 3}},
                "of": [{{"name": "a", "stem": "bass", "auc": 4}}, {{"name": "b", "stem": "bass", "auc": 5}}]}}"#
            )
        };
        let charts = charts(&log(&[&line(1), &line(2)]));
        let names = |title: &str| -> Vec<&str> {
            charts[title]
                .iter()
                .map(|curve| curve.name.as_str())
                .collect()
        };
        assert_eq!(charts.len(), 3, "{:?}", charts.keys());
        assert_eq!(names("d/rate"), [""]);
        assert_eq!(names("d/losses"), ["l1", "stft"]);
        assert_eq!(names("d/of · auc"), ["a bass", "b bass"]);
        assert_eq!(charts["d/of · auc"][1].points, [(1, 5.0), (2, 5.0)]);
    }
}

//! The page: one HTML file without a script, a network or a file beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bunri_stream::Planar;
use serde_json::Value;

use super::chart::{MOST_CURVES, chart};
use super::curves::{Curve, charts};
use super::excerpt::Excerpt;
use super::run::Run;
use crate::table::{Table, db_cell};
use crate::tensorboard::spectrogram::Picture;
use crate::tensorboard::wav::wav16;

/// The page's looks.
const STYLE: &str = include_str!("style.css");

/// A run with what is heard of it, or why nothing is.
pub type Shown = (Run, Result<Excerpt, String>);

/// The whole page.
///
/// # Errors
/// None in practice: clips that are too long for a WAV file.
pub fn page(runs: &[Shown]) -> Result<String> {
    let names: Vec<&str> = runs.iter().map(|(run, _)| run.name.as_str()).collect();
    let title = escape(&names.join(", "));
    let mut body = format!(
        "<h1>{title}</h1><p class=\"soft\">A report of <code>trainer report</code>.</p>\
         <nav aria-label=\"Sections\"><a href=\"#scores\">Scores</a><a href=\"#curves\">Curves</a>\
         <a href=\"#listen\">Listen</a><a href=\"#config\">Config</a></nav>"
    );
    body += "<h2 id=\"scores\">Scores</h2>";
    body += &table(&facts(runs));
    for (run, _) in runs {
        if let Some(scores) = scores(run) {
            body += &table(&scores);
        }
    }
    body += &notices(runs);
    body += "<h2 id=\"curves\">Curves</h2><div class=\"grid-of\">";
    for (title, mut curves) in all_charts(runs) {
        shorten(&mut curves);
        body += &if curves.len() > MOST_CURVES {
            chart(&title, &means(runs, &curves), &named(runs, curves))
        } else {
            chart(&title, &named(runs, curves), &[])
        };
    }
    body += "</div><h2 id=\"listen\">Listen</h2>";
    body += &listen(runs)?;
    body += "<h2 id=\"config\">Config</h2>";
    body += &configs(runs)?;
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    ))
}

/// Text that is no markup.
#[must_use]
pub fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// A curve with the number of its run.
type OfRun = (usize, Curve);

/// All runs' curves, those of one name in one chart. What is logged of every step comes first.
fn all_charts(runs: &[Shown]) -> Vec<(String, Vec<OfRun>)> {
    let mut all: BTreeMap<String, Vec<OfRun>> = BTreeMap::new();
    for (index, (run, _)) in runs.iter().enumerate() {
        for (title, curves) in charts(&run.log) {
            let of_run = curves.into_iter().map(|curve| (index, curve));
            all.entry(title).or_default().extend(of_run);
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    let order = |title: &str| match title.split('/').next() {
        Some("steps") => 0,
        Some("validation") => 1,
        _ => 2,
    };
    all.sort_by_key(|(title, _)| order(title));
    all
}

/// Leaves out of a chart's names the words that all of them have. A curve without a name stands above
/// the others: it is their whole.
fn shorten(curves: &mut [OfRun]) {
    let words =
        |curve: &Curve| -> BTreeSet<String> { curve.name.split(' ').map(str::to_owned).collect() };
    let names: BTreeSet<&str> = curves
        .iter()
        .map(|(_, curve)| curve.name.as_str())
        .collect();
    if names.len() < 2 {
        return;
    }
    let mut common: Option<BTreeSet<String>> = None;
    for (_, curve) in curves.iter().filter(|(_, curve)| !curve.name.is_empty()) {
        let words = words(curve);
        common = Some(match common {
            Some(common) => &common & &words,
            None => words,
        });
    }
    let common = common.unwrap_or_default();
    for (_, curve) in curves {
        let rest: Vec<&str> = curve
            .name
            .split(' ')
            .filter(|word| !common.contains(*word))
            .collect();
        curve.name = if curve.name.is_empty() {
            "overall".to_owned()
        } else {
            rest.join(" ")
        };
    }
}

/// Curves with their runs' names before their own, where there are several runs.
fn named(runs: &[Shown], curves: Vec<OfRun>) -> Vec<Curve> {
    let named = curves.into_iter().map(|(run, mut curve)| {
        if runs.len() > 1 {
            curve.name = format!("{} {}", runs[run].0.name, curve.name)
                .trim()
                .to_owned();
        }
        curve
    });
    named.collect()
}

/// Each run's mean of what has a value at a step; of many runs, of the first of them.
fn means(runs: &[Shown], curves: &[OfRun]) -> Vec<Curve> {
    let mut means: BTreeMap<usize, BTreeMap<u64, (f64, f64)>> = BTreeMap::new();
    for (run, curve) in curves {
        for (step, value) in &curve.points {
            let sum = means.entry(*run).or_default().entry(*step).or_default();
            sum.0 += value;
            sum.1 += 1.0;
        }
    }
    let means = means.into_iter().take(MOST_CURVES).map(|(run, sums)| {
        let points = sums
            .into_iter()
            .map(|(step, (sum, count))| (step, sum / count));
        let curve = Curve {
            name: "mean".to_owned(),
            points: points.collect(),
        };
        (run, curve)
    });
    named(runs, means.collect())
}

/// What is to be known of each run, a column for each.
fn facts(runs: &[Shown]) -> Table {
    let mut header = vec![String::new()];
    let mut names: Vec<String> = Vec::new();
    let mut values = Vec::new();
    for (run, _) in runs {
        header.push(run.name.clone());
        let facts = run.facts();
        for (name, _) in &facts {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        values.push(BTreeMap::from_iter(facts));
    }
    let rows = names.into_iter().map(|name| {
        let cells = values.iter().map(|facts| facts.get(&name).cloned());
        let cells: Vec<String> = cells.map(|cell| cell.unwrap_or("–".to_owned())).collect();
        [name].into_iter().chain(cells).collect()
    });
    Table {
        title: "From the log; \"best\" is of the validation that the kept weights won.".to_owned(),
        words: 1,
        header,
        rows: rows.collect(),
    }
}

fn scores(run: &Run) -> Option<Table> {
    let figures = ["SDR, median of songs", "SDR, mean", "nSDR, mean"];
    let header = ["stem"].into_iter().chain(figures).map(str::to_owned);
    let rows = run.scores()?.into_iter().map(|(stem, values)| {
        let cells = values.into_iter().map(db_cell);
        [stem].into_iter().chain(cells).collect()
    });
    Some(Table {
        title: format!("{}: evaluation.json, dB", run.name),
        words: 1,
        header: header.collect(),
        rows: rows.collect(),
    })
}

fn notices(runs: &[Shown]) -> String {
    let mut rows = String::new();
    for (run, _) in runs {
        for (step, text) in run.notices() {
            let _ = write!(
                rows,
                "<li>{}, step {step}: {}</li>",
                escape(&run.name),
                escape(text)
            );
        }
    }
    match rows.is_empty() {
        true => rows,
        false => format!("<h3>What happened</h3><ul>{rows}</ul>"),
    }
}

/// Players, with what they play as a picture above them.
fn listen(runs: &[Shown]) -> Result<String> {
    let mut html = String::new();
    for (run, excerpt) in runs {
        let name = escape(&run.name);
        let excerpt = match excerpt {
            Ok(excerpt) => excerpt,
            Err(why) => {
                let _ = write!(html, "<p>{name}: nothing to hear: {}.</p>", escape(why));
                continue;
            }
        };
        let of = escape(&excerpt.of);
        let _ = write!(html, "<h3>{name}: {of}</h3><div class=\"grid-of\">");
        html += &clip("mixture", &excerpt.mixture, excerpt.rate_hz)?;
        for (stem, truth, estimate) in &excerpt.stems {
            html += &clip(&format!("{stem}, separated"), estimate, excerpt.rate_hz)?;
            if let Some(truth) = truth {
                html += &clip(&format!("{stem}, in truth"), truth, excerpt.rate_hz)?;
            }
        }
        html += "</div>";
    }
    Ok(html)
}

fn clip(name: &str, audio: &Planar, rate_hz: u32) -> Result<String> {
    let wav = STANDARD.encode(wav16(audio, rate_hz)?);
    let png = STANDARD.encode(Picture::of(audio, rate_hz).png()?);
    let name = escape(name);
    Ok(format!(
        "<div class=\"clip\"><h4>{name}</h4><img alt=\"Spectrogram of {name}\" \
         src=\"data:image/png;base64,{png}\"><audio controls preload=\"none\" aria-label=\"{name}\" \
         src=\"data:audio/wav;base64,{wav}\"></audio></div>"
    ))
}

/// Every run's config, and first of all in what they differ.
fn configs(runs: &[Shown]) -> Result<String> {
    let mut html = String::new();
    if runs.len() > 1 {
        html += &table(&differences(runs));
    }
    for (run, _) in runs {
        let Some(config) = run.config() else { continue };
        let text = serde_json::to_string_pretty(config)?;
        let open = if runs.len() == 1 { " open" } else { "" };
        let _ = write!(
            html,
            "<details{open}><summary>{}</summary><pre>{}</pre></details>",
            escape(&run.name),
            escape(&text)
        );
    }
    Ok(html)
}

fn differences(runs: &[Shown]) -> Table {
    let flat: Vec<BTreeMap<String, String>> = runs
        .iter()
        .map(|(run, _)| {
            let mut fields = BTreeMap::new();
            if let Some(config) = run.config() {
                flatten(config, "", &mut fields);
            }
            fields
        })
        .collect();
    let names: BTreeSet<&String> = flat.iter().flat_map(BTreeMap::keys).collect();
    let rows = names.into_iter().filter_map(|name| {
        let values: Vec<_> = flat.iter().map(|fields| fields.get(name)).collect();
        let differs = values.iter().any(|value| *value != values[0]);
        let cells = values
            .into_iter()
            .map(|value| value.cloned().unwrap_or("–".to_owned()));
        differs.then(|| [name.clone()].into_iter().chain(cells).collect())
    });
    let heads = runs.iter().map(|(run, _)| run.name.clone());
    Table {
        title: "In what the runs differ".to_owned(),
        words: 1,
        header: [String::new()].into_iter().chain(heads).collect(),
        rows: rows.collect(),
    }
}

fn flatten(value: &Value, path: &str, fields: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(value, &format!("{path}{dot}{name}"), fields);
            }
        }
        value => {
            fields.insert(path.to_owned(), value.to_string());
        }
    }
}

fn table(table: &Table) -> String {
    let mut html = format!(
        "<div class=\"wide\"><table><caption>{}</caption><thead><tr>",
        escape(&table.title)
    );
    for head in &table.header {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(head));
    }
    html += "</tr></thead><tbody>";
    for row in &table.rows {
        html += "<tr>";
        for (column, cell) in row.iter().enumerate() {
            let tag = if column == 0 {
                "th scope=\"row\""
            } else {
                "td"
            };
            let end = if column == 0 { "th" } else { "td" };
            let _ = write!(html, "<{tag}>{}</{end}>", escape(cell));
        }
        html += "</tr>";
    }
    html + "</tbody></table></div>"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole among its parts must not keep their common words from being left out, nor go nameless.
    #[test]
    fn names_keep_what_tells_them_apart() {
        let named = |name: &str| {
            let curve = Curve {
                name: name.to_owned(),
                points: vec![(1, 0.0)],
            };
            (0, curve)
        };
        let mut curves = vec![named("waveform all"), named("waveform bass"), named("")];
        shorten(&mut curves);
        let names: Vec<&str> = curves.iter().map(|(_, curve)| &*curve.name).collect();
        assert_eq!(names, ["all", "bass", "overall"]);
    }
}

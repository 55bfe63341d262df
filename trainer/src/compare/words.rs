//! A comparison for people: tables, and sentences that say what may be said.

use super::comparison::{Comparison, Contrast, FigureComparison, MEAN, Verdict};
use super::figures::OverSongs;
use super::statistics::{CONFIDENCE, Difference, Method, Spread};
use crate::table::Table;

/// How it was done, for the end of every report.
const METHODS: &str = "Methods: the unit is the training (its seed). ± is the standard deviation over \
trainings. Intervals hold the true difference with 95 % confidence, by Student's t of pairs of runs \
with the same seed (Gosset 1908), or Welch's t (1947) where seeds differ; \"over songs\" by Student's t \
of songs, of these very trainings. A difference stands if it does with Holm's correction (1979) for \
all differences of its figure.";

impl Comparison {
    /// The tables of all figures, each with its interval rows.
    #[must_use]
    pub fn tables(&self) -> Vec<Table> {
        self.figures.iter().map(|f| self.table(f)).collect()
    }

    fn table(&self, figure: &FigureComparison) -> Table {
        let run_figure = match figure.run_figure {
            OverSongs::Median => "median",
            OverSongs::Mean => "mean",
        };
        let columns = || self.stems.iter().map(String::as_str).chain([MEAN]);
        let mut header = vec!["arm".to_owned(), "runs".to_owned()];
        header.extend(columns().map(str::to_owned));
        let mut rows = Vec::new();
        for (arm, spreads) in &figure.arms {
            let runs = spreads.values().map(|spread| spread.count).max();
            let mut row = vec![arm.clone(), runs.unwrap_or(0).to_string()];
            row.extend(columns().map(|stem| spreads.get(stem).map_or("–".into(), spread_cell)));
            rows.push(row);
        }
        let arms = figure.arms.iter().skip(1).map(|(arm, _)| arm);
        for arm in arms {
            let cells = |of: fn(&Contrast) -> &Difference| {
                columns().map(move |stem| {
                    let contrasts = figure.contrasts.iter();
                    let mut found = contrasts.filter(|c| c.arm == *arm && c.stem == stem);
                    found.next().map_or("–".into(), |c| difference_cell(of(c)))
                })
            };
            let mut row = vec![format!("{arm} − {}", self.baseline), "seeds".to_owned()];
            row.extend(cells(|contrast| &contrast.over_seeds));
            rows.push(row);
            let mut row = vec![String::new(), "songs".to_owned()];
            row.extend(cells(|contrast| &contrast.over_songs));
            rows.push(row);
        }
        Table {
            title: format!(
                "{}: {run_figure} of {} songs",
                figure.title,
                self.songs.len()
            ),
            words: 2,
            header,
            rows,
        }
    }

    /// One sentence for each figure and arm, the warnings before them, the methods behind.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .warnings
            .iter()
            .map(|warning| format!("Warning: {warning}."))
            .collect();
        for figure in &self.figures {
            for (arm, _) in figure.arms.iter().skip(1) {
                lines.push(self.sentence(figure, arm));
            }
        }
        lines.push(METHODS.to_owned());
        lines
    }

    fn sentence(&self, figure: &FigureComparison, arm: &str) -> String {
        let contrasts: Vec<&Contrast> = figure.contrasts.iter().filter(|c| c.arm == arm).collect();
        let of = |verdict: Verdict| -> Vec<String> {
            let found = contrasts.iter().filter(|c| c.verdict == verdict);
            found.map(|c| finding(figure, c)).collect()
        };
        let mut parts = Vec::new();
        let mut add = |found: Vec<String>, says: &str| {
            if !found.is_empty() {
                parts.push(format!("{says}: {}", found.join(", ")));
            }
        };
        add(of(Verdict::Stands), "beyond the seeds' noise");
        add(
            of(Verdict::OnlyAlone),
            "beyond it alone, but not among so many comparisons",
        );
        add(of(Verdict::InsideNoise), "inside the seeds' noise");
        add(
            of(Verdict::Unknown),
            "nothing can be said, for want of seeds",
        );
        let pairs = contrasts.first().map(|c| c.over_seeds);
        let count = pairs.map_or(String::new(), |d| match d.method {
            Method::PairedT => format!(" ({} pairs of runs)", d.count),
            Method::WelchT => format!(" ({} runs)", d.count),
        });
        format!(
            "{}: {arm} against {}{count}. {}.",
            figure.title,
            self.baseline,
            capitalised(&parts.join("; "))
        )
    }

    /// Everything in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("# Comparison with {}\n", self.baseline);
        for table in self.tables() {
            text += &format!("\n{}", table.markdown());
        }
        for line in self.sentences() {
            text += &format!("\n{line}\n");
        }
        text += "\nEvaluations:\n\n";
        for (arm, files) in &self.files {
            text += &format!("- {arm}: {}\n", files.join(", "));
        }
        text
    }
}

/// A stem with its difference, and what its songs add where they say something else.
fn finding(figure: &FigureComparison, contrast: &Contrast) -> String {
    let Contrast {
        stem,
        over_seeds,
        over_songs,
        ..
    } = contrast;
    let text = format!("{stem} {}", difference_cell(over_seeds));
    if contrast.verdict != Verdict::Stands {
        return text;
    }
    let is_better = (over_seeds.mean > 0.0) == figure.higher_is_better;
    let word = if is_better { "better" } else { "worse" };
    match over_songs.excludes_zero() {
        Some(true) if (over_songs.mean > 0.0) == (over_seeds.mean > 0.0) => {
            format!("{text} ({word})")
        }
        _ => format!("{text} ({word} on these songs; other songs may differ)"),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn number(value: f64) -> String {
    // Rounding must not make "-0.00" of what is nothing.
    format!("{:.2}", (value * 100.0).round() / 100.0 + 0.0).replace('-', "−")
}

fn signed(value: f64) -> String {
    let text = number(value);
    match text.starts_with('−') || text == "0.00" {
        true => text,
        false => format!("+{text}"),
    }
}

fn spread_cell(spread: &Spread) -> String {
    let mean = number(spread.mean);
    spread
        .sd
        .map_or(mean.clone(), |sd| format!("{mean} ± {sd:.2}"))
}

fn difference_cell(difference: &Difference) -> String {
    let mean = signed(difference.mean);
    match difference.interval {
        Some([low, high]) => format!("{mean} [{}, {}]", signed(low), signed(high)),
        None => mean,
    }
}

const _: () = assert!(CONFIDENCE == 0.95, "the words above say 95 %");

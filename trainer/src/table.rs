//! Tables in plain text: a header, rows, the first columns to the left, figures to the right.

use std::fmt;

/// A table under a title. Rows may be shorter than the header.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// One line above it.
    pub title: String,
    /// Columns from the left that hold words instead of figures.
    pub words: usize,
    /// Column heads.
    pub header: Vec<String>,
    /// The cells.
    pub rows: Vec<Vec<String>>,
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || std::iter::once(&self.header).chain(&self.rows);
        let width = |column: usize| {
            lines()
                .filter_map(|line| line.get(column))
                .map(|cell| cell.chars().count())
                .max()
        };
        writeln!(out, "{}", self.title)?;
        for (index, line) in lines().enumerate() {
            let mut text = String::new();
            for (column, cell) in line.iter().enumerate() {
                let width = width(column).unwrap_or(0);
                text += &match column < self.words {
                    true => format!("  {cell:<width$}"),
                    false => format!("  {cell:>width$}"),
                };
            }
            writeln!(out, "{}", text.trim_end())?;
            if index == 0 {
                let total: usize = (0..line.len())
                    .filter_map(width)
                    .map(|width| width + 2)
                    .sum();
                writeln!(out, "  {}", "─".repeat(total.saturating_sub(2)))?;
            }
        }
        Ok(())
    }
}

impl Table {
    /// The table in GitHub's Markdown, its title in bold above it.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<_> = (0..self.header.len())
                .map(|column| cells.get(column).map_or("", String::as_str))
                .map(|cell| cell.replace('|', "\\|"))
                .collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule = (0..self.header.len()).map(|column| match column < self.words {
            true => "---".to_owned(),
            false => "---:".to_owned(),
        });
        let mut text = format!("**{}**\n\n{}", self.title, line(&self.header));
        text += &line(&rule.collect::<Vec<_>>());
        for row in &self.rows {
            text += &line(row);
        }
        text
    }
}

/// A figure in dB as a cell: two digits, or a dash where there is none.
#[must_use]
pub fn db_cell(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value == f64::INFINITY => "∞".to_owned(),
        // Rounding must not make "-0.00" of what is nothing.
        Some(value) => format!("{:.2}", (value * 100.0).round() / 100.0 + 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_count_characters_not_bytes() {
        let table = Table {
            title: "SDR".into(),
            words: 1,
            header: vec!["song".into(), "drums".into()],
            rows: vec![
                vec!["分離".into(), "-1.00".into()],
                vec!["ab".into(), "10.00".into()],
            ],
        };
        let expected = "SDR\n  song  drums\n  ───────────\n  分離    -1.00\n  ab    10.00\n";
        assert_eq!(table.to_string(), expected);
    }

    /// Guards against a bar in a name that shifts all columns, and short rows.
    #[test]
    fn markdown_has_a_cell_for_every_column() {
        let table = Table {
            title: "SDR".into(),
            words: 1,
            header: vec!["arm".into(), "drums".into()],
            rows: vec![vec!["a|b".into()]],
        };
        let expected = "**SDR**\n\n| arm | drums |\n| --- | ---: |\n| a\\|b |  |\n";
        assert_eq!(table.markdown(), expected);
    }

    #[test]
    fn cells_have_two_digits_and_no_negative_zero() {
        assert_eq!(db_cell(Some(6.0206)), "6.02");
        assert_eq!(db_cell(Some(-0.0001)), "0.00");
        assert_eq!(db_cell(None), "–");
        assert_eq!(db_cell(Some(f64::INFINITY)), "∞");
    }
}

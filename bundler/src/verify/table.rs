//! The host table, as the tests recorded it (`bunri_tests::table`): which host passes which case.

use std::fmt::{self, Write};
use std::fs;
use std::path::Path;

/// What the tests are told to write into.
pub(super) const FILE_VARIABLE: &str = "BUNRI_HOST_TABLE";

/// Cases by host, in the order in which they were first met.
#[derive(Debug, Default)]
pub(super) struct Table {
    cases: Vec<String>,
    hosts: Vec<String>,
    /// `(case, host, outcome)`, each cell once.
    cells: Vec<(usize, usize, String)>,
}

impl Table {
    /// Reads what the tests recorded, which is nothing if they had no reason to.
    pub(super) fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_default();
        let mut table = Self::default();
        for line in text.lines() {
            if let [case, host, outcome] = line.split('\t').collect::<Vec<_>>()[..] {
                table.add(case, host, outcome);
            }
        }
        table
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Several tests may record one cell: the worst outcome stands, and a figure is kept.
    fn add(&mut self, case: &str, host: &str, outcome: &str) {
        let case = position(&mut self.cases, case);
        let host = position(&mut self.hosts, host);
        let place = |cell: &&mut (usize, usize, String)| (cell.0, cell.1) == (case, host);
        match self.cells.iter_mut().find(place) {
            None => self.cells.push((case, host, outcome.to_owned())),
            Some((_, _, before)) => {
                if (badness(outcome), outcome.len()) > (badness(before), before.len()) {
                    outcome.clone_into(before);
                }
            }
        }
    }

    fn outcome(&self, case: usize, host: usize) -> Option<&str> {
        let cell = self
            .cells
            .iter()
            .find(|cell| (cell.0, cell.1) == (case, host));
        cell.map(|cell| cell.2.as_str())
    }
}

fn position(names: &mut Vec<String>, name: &str) -> usize {
    names
        .iter()
        .position(|known| known == name)
        .unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        })
}

fn badness(outcome: &str) -> u8 {
    match outcome.split([' ', ':']).next() {
        Some("pass") => 0,
        Some("FAILED") => 2,
        _ => 1,
    }
}

/// A line for each case, a column for each host, and below them all that does not fit into a cell.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.cases.iter().map(|case| case.chars().count()).max();
        let width = width.unwrap_or_default();
        write!(f, "{:width$}", "")?;
        for host in &self.hosts {
            write!(f, "  {host}")?;
        }
        writeln!(f)?;
        let mut notes = String::new();
        for (row, case) in self.cases.iter().enumerate() {
            write!(f, "{case:width$}")?;
            for (column, host) in self.hosts.iter().enumerate() {
                let outcome = self.outcome(row, column);
                let verdict = match outcome.map(badness) {
                    Some(0) => "pass",
                    Some(2) => "FAILED",
                    Some(_) => "no",
                    None => "",
                };
                let cell_width = host.chars().count();
                write!(f, "  {verdict:cell_width$}")?;
                if let Some(outcome) = outcome.filter(|outcome| *outcome != "pass") {
                    let outcome: String = outcome.chars().take(300).collect();
                    writeln!(notes, "{case}, {host}: {outcome}")?;
                }
            }
            writeln!(f)?;
        }
        write!(f, "\n{notes}")
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    /// Guards against a failure that a later pass of the same cell hides.
    #[test]
    fn the_worst_outcome_stands_and_figures_are_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = [
            "null\tone\tpass (-150 dBFS)",
            "null\tone\tpass",
            "stall\tone\tFAILED: off by 1",
            "stall\tone\tpass",
            "stall\ttwo\tskipped: not here",
        ];
        fs::write(file.path(), lines.join("\n")).unwrap();
        let text = Table::read(file.path()).to_string();
        let expected = [
            "       one  two",
            "null   pass     ",
            "stall  FAILED  no ",
            "",
            "null, one: pass (-150 dBFS)",
            "stall, one: FAILED: off by 1",
            "stall, two: skipped: not here",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        assert!(Table::read(Path::new("/nowhere")).is_empty());
    }
}

//! One config out of several files, and fields set on the command line:
//! `--set optimiser.steps=200`.

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

/// Lays `above` over `below`: tables are joined field by field, anything else is replaced.
pub(super) fn lay(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

/// Sets one field, as `path.to.field=value`; the value is TOML, or a string if it is none.
///
/// # Errors
/// Text without `=`, and a path through something that has no fields.
pub(super) fn set(config: &mut Table, text: &str) -> Result<()> {
    let Some((path, value)) = text.split_once('=') else {
        bail!("--set {text}: write it as section.field=value");
    };
    let value = parse(value.trim());
    let mut keys: Vec<&str> = path.trim().split('.').collect();
    let last = keys.pop().unwrap_or_default();
    let mut table = config;
    for key in keys {
        table = table
            .entry(key)
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .with_context(|| format!("--set {text}: {key} is a list or a value, set it whole"))?;
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

fn parse(text: &str) -> Value {
    let table = toml::from_str::<Table>(&format!("value = {text}"));
    let value = table.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_toml_and_else_strings() {
        let mut config: Table = toml::from_str("seed = 1\n[optimiser]\nsteps = 10").unwrap();
        for text in [
            "seed=2",
            "output=runs/second try",
            "optimiser.steps = 20",
            "loss.multi_resolution_stft.windows=[512, 1024]",
            "augment.scale=[0.5, 1.0]",
        ] {
            set(&mut config, text).unwrap();
        }
        let expected: Table = toml::from_str(
            "seed = 2\noutput = 'runs/second try'\n[optimiser]\nsteps = 20\n\
             [loss.multi_resolution_stft]\nwindows = [512, 1024]\n[augment]\nscale = [0.5, 1.0]",
        )
        .unwrap();
        assert_eq!(config, expected);
    }

    #[test]
    fn later_files_lie_over_earlier_ones() {
        let mut config: Table = toml::from_str("seed = 1\n[loss]\nl1 = 1.0\nl2 = 0.5").unwrap();
        let above = toml::from_str("[loss]\nl2 = 0.0\n[guard]\npatience = 3").unwrap();
        lay(&mut config, above);
        let expected: Table =
            toml::from_str("seed = 1\n[loss]\nl1 = 1.0\nl2 = 0.0\n[guard]\npatience = 3").unwrap();
        assert_eq!(config, expected);
    }

    #[test]
    fn what_cannot_be_set_is_said() {
        let mut config: Table = toml::from_str("seed = 1").unwrap();
        let says = |config: &mut Table, text| set(config, text).unwrap_err().to_string();
        assert!(says(&mut config, "seed").contains("section.field=value"));
        assert!(says(&mut config, "seed.low=3").contains("seed is a list or a value"));
    }
}

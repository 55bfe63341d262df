//! Which files are written for a song, and which of the model's stems each is made of.

use anyhow::{Result, bail};
use bunri_stream::Planar;

/// One file of the result: the sum of some of the model's stems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The file's name, without extension.
    pub(super) name: String,
    /// Indices into the model's stems, at least one.
    pub(super) parts: Vec<usize>,
}

impl Target {
    /// The target's audio: the sum of its parts of `stems`, in the order of the model's stems.
    pub(super) fn mix(&self, stems: &[Planar]) -> Planar {
        let mut parts = self.parts.iter().map(|&part| &stems[part]);
        let mut sum = parts.next().cloned().unwrap_or_default();
        parts.for_each(|part| sum.add(part));
        sum
    }
}

/// All stems, or those in `chosen`, or `two_stems` and the rest.
///
/// # Errors
/// A name that the model does not have; `two_stems` of a model with a single stem.
pub(super) fn targets(
    model_stems: &[String],
    chosen: &[String],
    two_stems: Option<&str>,
) -> Result<Vec<Target>> {
    let index_of = |name: &str| match model_stems.iter().position(|stem| stem == name) {
        Some(index) => Ok(index),
        None => bail!(
            "the model has no stem {name:?}: it makes {}",
            model_stems.join(", ")
        ),
    };
    if let Some(name) = two_stems {
        let wanted = index_of(name)?;
        let others: Vec<usize> = (0..model_stems.len())
            .filter(|&other| other != wanted)
            .collect();
        if others.is_empty() {
            bail!("--two-stems needs a model with more stems than {name:?}");
        }
        return Ok(vec![
            Target {
                name: name.to_owned(),
                parts: vec![wanted],
            },
            Target {
                name: format!("no_{name}"),
                parts: others,
            },
        ]);
    }
    let mut wanted: Vec<usize> = (0..model_stems.len()).collect();
    if !chosen.is_empty() {
        let mut named: Vec<usize> = chosen
            .iter()
            .map(|name| index_of(name.trim()))
            .collect::<Result<_>>()?;
        named.sort_unstable();
        named.dedup();
        wanted = named;
    }
    Ok(wanted
        .into_iter()
        .map(|index| Target {
            name: model_stems[index].clone(),
            parts: vec![index],
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems() -> Vec<String> {
        ["drums", "bass", "vocals"].map(String::from).to_vec()
    }

    fn names(targets: &[Target]) -> Vec<&str> {
        targets.iter().map(|target| target.name.as_str()).collect()
    }

    #[test]
    fn a_choice_keeps_the_model_s_order_and_names_each_stem_once() {
        assert_eq!(
            names(&targets(&stems(), &[], None).unwrap()),
            ["drums", "bass", "vocals"]
        );
        let chosen = ["vocals", " drums", "vocals"].map(String::from);
        let chosen = targets(&stems(), &chosen, None).unwrap();
        assert_eq!(names(&chosen), ["drums", "vocals"]);
    }

    #[test]
    fn an_unknown_stem_is_answered_with_the_known_ones() {
        let error = targets(&stems(), &["piano".into()], None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("piano") && error.contains("drums, bass, vocals"),
            "{error}"
        );
        assert!(targets(&stems()[..1], &[], Some("drums")).is_err());
    }

    #[test]
    fn two_stems_are_one_and_the_sum_of_the_others() {
        let two = targets(&stems(), &[], Some("bass")).unwrap();
        assert_eq!(names(&two), ["bass", "no_bass"]);
        let audio =
            [1.0, 10.0, 100.0].map(|level| Planar::from_channels(vec![vec![level]]).unwrap());
        assert_eq!(two[0].mix(&audio).channel(0), [10.0]);
        assert_eq!(two[1].mix(&audio).channel(0), [101.0]);
    }
}

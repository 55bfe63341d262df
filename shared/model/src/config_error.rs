//! What every network's config is checked for.

/// Why a config cannot be built.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A field lies outside of what the architecture, or a sane machine, can take.
    #[error("model config: {field} = {got}, must be within {min}..={max}")]
    OutOfRange {
        /// The field's name.
        field: &'static str,
        /// Its value.
        got: f64,
        /// Smallest accepted value.
        min: f64,
        /// Largest accepted value.
        max: f64,
    },
    /// Two stems share a name, or a name is unusable as a file or bus name.
    #[error(
        "model config: stem name {0:?} is empty, repeated, or not made of letters, digits, - and _"
    )]
    StemName(String),
    /// The whole model would be larger than any known one.
    #[error("model config asks for {parameters} parameters, the limit is {limit}")]
    TooLarge {
        /// What the config asks for.
        parameters: usize,
        /// The most that is accepted.
        limit: usize,
    },
    /// Fields that do not go together.
    #[error("model config: {0}")]
    Contradiction(String),
}

/// Three times the largest published Demucs (v1, 100 channels: 648,548,208).
const MAX_PARAMETERS: usize = 2_000_000_000;

/// Refuses a value outside of `min..=max`.
pub(crate) fn in_range(
    field: &'static str,
    got: f64,
    min: f64,
    max: f64,
) -> Result<(), ConfigError> {
    // Written so that NaN is refused too.
    if got >= min && got <= max {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange {
            field,
            got,
            min,
            max,
        })
    }
}

/// Refuses stem names that cannot name a file and a bus.
pub(crate) fn check_stems(stems: &[String]) -> Result<(), ConfigError> {
    in_range("stems", stems.len() as f64, 1.0, 64.0)?;
    for (index, stem) in stems.iter().enumerate() {
        let usable = !stem.is_empty()
            && stem.len() <= 64
            && stem
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !usable || stems[..index].contains(stem) {
            return Err(ConfigError::StemName(stem.clone()));
        }
    }
    Ok(())
}

/// Refuses sizes beyond any known model; saturating products keep absurd ones absurd.
pub(crate) fn check_parameter_count(parameters: usize) -> Result<(), ConfigError> {
    if parameters > MAX_PARAMETERS {
        return Err(ConfigError::TooLarge {
            parameters,
            limit: MAX_PARAMETERS,
        });
    }
    Ok(())
}

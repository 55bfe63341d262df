//! Which stem a name means, and which it may have been meant to.

/// The stem's name as models have it: in lower case, and "vocals" for what MUSDB18 and people write
/// in its place.
pub(super) fn canonical(name: &str) -> String {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "vox" | "vocal" | "voice" => "vocals".into(),
        "drum" => "drums".into(),
        "mix" => "mixture".into(),
        _ => name,
    }
}

/// Whether two names differ in case and in spaces around them at most.
pub(super) fn is_same(left: &str, right: &str) -> bool {
    left.trim().to_lowercase() == right.trim().to_lowercase()
}

/// Whether a file's name was probably meant for a stem: "bass (1)", "02_Lead-Vox", "drums2".
pub(super) fn resembles(name: &str, stem: &str) -> bool {
    let stem = canonical(stem);
    let words = name.split(|c: char| !c.is_alphanumeric());
    let words = words.map(|word| word.trim_matches(|c: char| c.is_ascii_digit()));
    canonical(name) == stem || words.into_iter().any(|word| canonical(word) == stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_for_a_stem_resembles_it() {
        for name in [
            "bass (1)",
            "Bass",
            "BASS_02",
            "01 - bass",
            "song.bass",
            "bass2",
        ] {
            assert!(resembles(name, "bass"), "{name}");
        }
        for name in ["Lead Vox", "vocal", "backing-vocals"] {
            assert!(resembles(name, "vocals"), "{name}");
        }
        for name in ["bassoon", "cover", "", "123"] {
            assert!(!resembles(name, "bass"), "{name}");
        }
        assert!(is_same("VOCALS ", "vocals") && !is_same("vox", "vocals"));
    }
}

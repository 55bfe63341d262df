//! The models that this crate was built with, for whoever chooses no file.

use bunri_stream::BuiltIn;

/// The bytes of a built-in checkpoint, for [`Checkpoint::from_bytes`](crate::Checkpoint::from_bytes).
///
/// `None` if its file (`default.safetensors` for the studio model, `live.safetensors`) did not lie
/// beside this crate's manifest when it was built: the crate that trains models must build without.
#[must_use]
pub fn built_in_model(model: BuiltIn) -> Option<&'static [u8]> {
    // Statics: a constant of 8 MB is put into a program once for each place that uses it.
    #[cfg(built_in_studio)]
    static STUDIO: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/default.safetensors"));
    #[cfg(built_in_live)]
    static LIVE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/live.safetensors"));
    match model {
        #[cfg(built_in_studio)]
        BuiltIn::Studio => Some(STUDIO),
        #[cfg(built_in_live)]
        BuiltIn::Live => Some(LIVE),
        #[allow(unreachable_patterns)] // reached by those that are missing
        _ => None,
    }
}

//! The model that this crate was built with, for whoever chooses none.

/// The bytes of the default checkpoint, for [`Checkpoint::from_bytes`](crate::Checkpoint::from_bytes).
///
/// `None` if `default.safetensors` did not lie beside this crate's manifest when it was built: the
/// crate that trains the model must build without it.
#[must_use]
pub fn built_in_model() -> Option<&'static [u8]> {
    #[cfg(built_in_model)]
    return Some(include_bytes!(env!("BUNRI_BUILT_IN_MODEL")));
    #[cfg(not(built_in_model))]
    return None;
}

//! Equality with the reference package at the same weights; see [`crate::hybrid::golden`].

use crate::hybrid::golden::assert_cases_equal_the_reference;

/// Guards each switch of the architecture: the merge, the older models' padding, branches of
/// different widths, bands, inputs so long that LSTMs see frames.
#[test]
fn whole_models_equal_the_reference() {
    assert_cases_equal_the_reference(&["hdemucs", "hdemucs-old", "hdemucs-bands", "hdemucs-long"]);
}

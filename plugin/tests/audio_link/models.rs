//! Which model is heard: loading in the background, taking over, and failing to.

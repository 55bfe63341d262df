//! What hosts and models do wrong.

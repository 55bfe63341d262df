//! Why a model cannot be imported.

use crate::network::ARCHITECTURES;
use crate::parameters::ParameterError;

/// Why a model cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportModelError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] bunri_import::ImportError),
    /// A class that has no counterpart here.
    #[error(
        "the model's class is {class}; those that can be imported are {known}",
        known = known_classes()
    )]
    Class {
        /// The file's word.
        class: String,
    },
    /// An architecture that cannot be imported.
    #[error("no model of the architecture {0:?} can be imported; known are {known}", known = ARCHITECTURES.join(", "))]
    Architecture(String),
    /// The file holds weights without saying of what.
    #[error(
        "the file holds weights alone, and does not say of which model: name it with --architecture (e.g. demucs for Demucs v1 and v2, conv-tasnet, htdemucs), and with --set FIELD=VALUE what is not as published"
    )]
    Unnamed,
    /// The file says which model it is.
    #[error("the file says itself that it is of the architecture {0:?}: leave --architecture out")]
    Named(String),
    /// An argument that the class does not take.
    #[error("argument {name} of {class}: {what}")]
    Argument {
        /// The class.
        class: String,
        /// The argument.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// A field that the config does not take.
    #[error("the model's config: {0}")]
    Config(#[from] serde_json::Error),
    /// Config and weights disagree.
    #[error("the file's weights are not those of its config: {0}")]
    Parameters(#[from] ParameterError),
    /// A weight is not a number.
    #[error("tensor {0} holds NaN or infinity: the file is damaged or its training diverged")]
    NotFinite(String),
}

fn known_classes() -> String {
    let names = super::classes::CLASSES.iter().flat_map(|class| class.names);
    names.copied().collect::<Vec<_>>().join(", ")
}

//! What a file says about itself, and its weights.

use std::collections::BTreeMap;

use crate::archive::Archive;
use crate::diffq;
use crate::document::{Document, Item};
use crate::error::ImportError;
use crate::{pickle, safetensors_file};

/// Values of one tensor, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its axes.
    pub shape: Vec<usize>,
    /// As many as the axes multiply to.
    pub values: Vec<f32>,
}

/// A model file of a reference package: either `{klass, args, kwargs, state, ..}`, or weights alone.
#[derive(Debug)]
pub struct Package<'a> {
    document: Document<'a>,
    is_bare: bool,
}

impl<'a> Package<'a> {
    /// Reads a file's description; weights are read by [`Package::weights`].
    ///
    /// # Errors
    /// [`ImportError`]: of another kind, damaged, too large, no model, or refused.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ImportError> {
        let document = read_document(bytes)?;
        let root = document.root();
        let is_bare = root.get("klass").is_none();
        let package = Self { document, is_bare };
        package.check()?;
        Ok(package)
    }

    fn check(&self) -> Result<(), ImportError> {
        let root = self.document.root();
        let Some(entries) = root.entries() else {
            return Err(ImportError::NoModel(format!(
                "it holds {}, expected a dictionary of weights",
                root.kind()
            )));
        };
        if !self.is_bare {
            for key in ["args", "kwargs", "state"] {
                if root.get(key).is_none() {
                    return Err(ImportError::NoModel(format!("it has a class but no {key}")));
                }
            }
            return match self.class() {
                Some(_) => Ok(()),
                None => Err(ImportError::NoModel("its klass is no class".into())),
            };
        }
        let is_weights = entries.iter().any(|(_, value)| value.shape().is_some());
        if is_weights || self.is_quantized() {
            return Ok(());
        }
        let keys: Vec<&str> = entries.iter().map(|(key, _)| *key).take(12).collect();
        Err(ImportError::NoModel(format!(
            "it holds {}, not a package's klass and state, and no tensors by name",
            keys.join(", ")
        )))
    }

    /// The model's class, e.g. `demucs.htdemucs.HTDemucs`; `None` if the file holds weights alone.
    #[must_use]
    pub fn class(&self) -> Option<&str> {
        self.document.root().get("klass")?.as_class()
    }

    /// Arguments of the class by position.
    #[must_use]
    pub fn arguments(&self) -> Vec<Item<'_>> {
        let arguments = self.part("args").and_then(|args| args.members());
        arguments.unwrap_or_default()
    }

    /// Arguments of the class by name.
    #[must_use]
    pub fn keywords(&self) -> Vec<(&str, Item<'_>)> {
        let keywords = self.part("kwargs").and_then(|kwargs| kwargs.entries());
        keywords.unwrap_or_default()
    }

    /// What the package keeps of the training's command line.
    #[must_use]
    pub fn training(&self) -> Option<Item<'_>> {
        self.part("training_args")
    }

    /// Names and shapes of the weights; `None` if they are quantized.
    #[must_use]
    pub fn shapes(&self) -> Option<Vec<(&str, &[usize])>> {
        if self.is_quantized() {
            return None;
        }
        let entries = self.state().entries()?.into_iter();
        Some(
            entries
                .filter_map(|(name, value)| Some((name, value.shape()?)))
                .collect(),
        )
    }

    /// Are the weights compressed by DiffQ?
    #[must_use]
    pub fn is_quantized(&self) -> bool {
        let state = self.state();
        state.get("compressed").is_some() || state.get("quantized").is_some()
    }

    /// The weights. `order` are names and shapes of the model's weights in the order in which the
    /// reference's modules hold them: a quantized state has no names of its own. Others are ignored
    /// for a state that has them.
    ///
    /// # Errors
    /// [`ImportError`]: a tensor is no tensor of numbers, or the quantized state is not this model's.
    pub fn weights(
        &self,
        order: &[(String, Vec<usize>)],
    ) -> Result<BTreeMap<String, Array>, ImportError> {
        let state = self.state();
        if let Some(compressed) = state.get("compressed") {
            let bytes = compressed.as_bytes().ok_or_else(|| {
                ImportError::Quantized(format!("{} instead of bytes", compressed.kind()))
            })?;
            let inflated = diffq::inflate(bytes)?;
            let inner = read_document(&inflated)?;
            return diffq::restore(&inner.root(), self.training(), order);
        }
        if self.is_quantized() {
            return diffq::restore(&state, self.training(), order);
        }
        let entries = state.entries().unwrap_or_default();
        let mut weights = BTreeMap::new();
        for (name, value) in entries {
            // Batch normalisation counts its batches, which no computation needs.
            if name.ends_with("num_batches_tracked") {
                continue;
            }
            weights.insert(name.to_owned(), value.floats()?);
        }
        Ok(weights)
    }

    fn state(&self) -> Item<'_> {
        let root = self.document.root();
        match root.get("state") {
            Some(state) if !self.is_bare => state,
            _ => root,
        }
    }

    fn part(&self, key: &str) -> Option<Item<'_>> {
        if self.is_bare {
            return None;
        }
        self.document.root().get(key)
    }
}

/// Reads either kind of file.
fn read_document(bytes: &[u8]) -> Result<Document<'_>, ImportError> {
    /// What torch wrote first of all before 1.6: protocol 2 and the number 0x1950a86a20f9469cfc6c.
    const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    if bytes.starts_with(b"PK") {
        let archive = Archive::open(bytes)?;
        return pickle::read(bytes, &archive);
    }
    if bytes.starts_with(LEGACY) {
        return Err(ImportError::Legacy);
    }
    // The length of a header, then the header.
    if bytes.get(8) == Some(&b'{') {
        return safetensors_file::read(bytes);
    }
    Err(ImportError::UnknownKind {
        first_bytes: bytes.iter().take(8).copied().collect(),
    })
}

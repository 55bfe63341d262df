//! Which files a song's results become: one for each target, or one stem file.

use anyhow::{Result, bail};
use bunri_stream::Encoding;
use bunri_stream::files::StemFileWriter;

use super::targets::Target;

/// Number, names and encoding of the files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outputs {
    pub(super) encoding: Encoding,
    /// Of a stem file: which target is on each of its tracks, after the mixture.
    pub(super) stem_tracks: Option<[usize; StemFileWriter::STEM_NAMES.len()]>,
}

impl Outputs {
    /// A file for each target.
    pub(super) fn separate(encoding: Encoding) -> Self {
        Self {
            encoding,
            stem_tracks: None,
        }
    }

    /// One stem file for all targets.
    ///
    /// # Errors
    /// Targets that are not the four stems that such a file holds.
    pub(super) fn stem_file(encoding: Encoding, targets: &[Target]) -> Result<Self> {
        let names = StemFileWriter::STEM_NAMES;
        let place = |name: &str| targets.iter().position(|target| target.name == name);
        let places = names.map(|name| place(name).unwrap_or(usize::MAX));
        if targets.len() != names.len() || places.contains(&usize::MAX) {
            let there: Vec<_> = targets.iter().map(|target| &*target.name).collect();
            bail!(
                "a stem file holds {}, and these are {}: choose a model with those four stems and \
                 all of them, or another --format",
                names.join(", "),
                there.join(", ")
            );
        }
        Ok(Self {
            encoding,
            stem_tracks: Some(places),
        })
    }

    /// Name and ending of each file.
    pub(super) fn files<'a>(
        &'a self,
        targets: &'a [Target],
    ) -> impl ExactSizeIterator<Item = (&'a str, &'static str)> {
        let (names, ending) = match self.stem_tracks {
            None => {
                let names = targets.iter().map(|target| &*target.name).collect();
                (names, self.encoding.extension())
            }
            Some(_) => (vec!["stems"], StemFileWriter::EXTENSION),
        };
        names.into_iter().map(move |name| (name, ending))
    }
}

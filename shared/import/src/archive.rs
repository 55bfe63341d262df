//! The zip container of `torch.save`: where each entry lies in the file.

use std::collections::HashMap;
use std::io::Cursor;
use std::ops::Range;

use zip::{CompressionMethod, ZipArchive};

use crate::error::ImportError;
use crate::limits::{MAX_ENTRIES, MAX_PICKLE_BYTES};

const PICKLE: &str = "data.pkl";

/// A torch file's entries. Each is a part of the file as it lies there: `torch.save` compresses
/// nothing.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    bytes: &'a [u8],
    /// The folder that holds everything, with its `/`.
    root: String,
    entries: HashMap<String, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    data: Range<usize>,
    crc32: u32,
}

impl<'a> Archive<'a> {
    /// Lists the entries and checks that none overlaps another.
    ///
    /// # Errors
    /// [`ImportError`]: not a zip file of `torch.save`, or damaged.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, ImportError> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
        if archive.len() > MAX_ENTRIES {
            return Err(ImportError::Limit {
                what: "zip entries",
                got: archive.len(),
                limit: MAX_ENTRIES,
            });
        }
        // Before anything else is said about it: its code is compressed.
        if (archive.file_names_raw()).any(|name| name.ends_with(b"/constants.pkl")) {
            return Err(ImportError::TorchScript);
        }
        let mut entries = HashMap::new();
        let mut root = None;
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(damaged)?;
            let name = entry.name().map_err(damaged)?.into_owned();
            if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
                return Err(ImportError::Archive(format!(
                    "{name} is compressed or encrypted, torch.save writes neither"
                )));
            }
            let start = entry.data_start().and_then(|start| start.try_into().ok());
            let data = start.and_then(|start: usize| {
                let end = start.checked_add(entry.size().try_into().ok()?)?;
                (end <= bytes.len()).then_some(start..end)
            });
            let Some(data) = data else {
                return Err(ImportError::Archive(format!(
                    "{name} claims {} bytes and reaches beyond the file's {}",
                    entry.size(),
                    bytes.len()
                )));
            };
            if let Some(folder) = name.strip_suffix(PICKLE)
                && (folder.is_empty() || folder.ends_with('/'))
                && folder.matches('/').count() <= 1
            {
                root = Some(folder.to_owned());
            }
            let crc32 = entry.crc32();
            entries.insert(name, Entry { data, crc32 });
        }
        let Some(root) = root else {
            return Err(ImportError::NoModel(format!(
                "a zip file without {PICKLE}: torch.save did not write it"
            )));
        };
        let archive = Self {
            bytes,
            root,
            entries,
        };
        archive.refuse_overlap()?;
        if let Some(order) = archive.entries.get(&archive.path("byteorder"))
            && bytes[order.data.clone()] != *b"little"
        {
            return Err(ImportError::NoModel(
                "its tensors are big-endian, only little-endian ones are read".into(),
            ));
        }
        Ok(archive)
    }

    /// The pickle that describes everything.
    ///
    /// # Errors
    /// It is damaged, or larger than any model's.
    pub(crate) fn pickle(&self) -> Result<&'a [u8], ImportError> {
        let data = self.entry(PICKLE)?;
        if data.len() > MAX_PICKLE_BYTES {
            return Err(ImportError::Limit {
                what: "bytes of pickle",
                got: data.len(),
                limit: MAX_PICKLE_BYTES,
            });
        }
        Ok(&self.bytes[data])
    }

    /// The data of one storage, by its key.
    ///
    /// # Errors
    /// It is not there, or damaged.
    pub(crate) fn storage(&self, key: &str) -> Result<Range<usize>, ImportError> {
        self.entry(&format!("data/{key}"))
    }

    fn entry(&self, name: &str) -> Result<Range<usize>, ImportError> {
        let entry = self
            .entries
            .get(&self.path(name))
            .ok_or_else(|| ImportError::Archive(format!("{name} is missing")))?;
        let got = crc32fast::hash(&self.bytes[entry.data.clone()]);
        if got != entry.crc32 {
            return Err(ImportError::Archive(format!(
                "the checksum of {name} is {got:08x}, expected {:08x}",
                entry.crc32
            )));
        }
        Ok(entry.data.clone())
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.root)
    }

    /// Entries that share bytes would let a small file cost the work of a large one.
    fn refuse_overlap(&self) -> Result<(), ImportError> {
        let mut ranges: Vec<_> = self.entries.values().map(|entry| &entry.data).collect();
        ranges.sort_by_key(|range| (range.start, range.end));
        for pair in ranges.windows(2) {
            if pair[1].start < pair[0].end {
                return Err(ImportError::Archive("two of its entries overlap".into()));
            }
        }
        Ok(())
    }
}

fn damaged(error: zip::result::ZipError) -> ImportError {
    ImportError::Archive(error.to_string())
}

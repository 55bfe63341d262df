//! The row of chunks that a file of this family is.

use std::fs::File;
use std::io;

use crate::files::section::bytes_at;

/// Which member of the family, and so how chunks are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// RIFF, RF64 and BW64.
    Riff,
    /// The same with the highest byte first.
    Rifx,
    /// AIFF and AIFF-C: as RIFX, with other names for the chunks.
    Aiff,
    /// Apple's CAF: sizes of 8 bytes, the highest first.
    Caf,
    /// Sony's Wave64: names of 16 bytes and sizes of 8.
    Wave64,
}

impl Family {
    /// From the first bytes of a file, with the offset of the first chunk.
    pub(super) fn of(head: &[u8]) -> Option<(Self, u64)> {
        const WAVE64: &[u8; 16] = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00";
        let form = head.get(8..12)?;
        if head.starts_with(b"caff\0\x01") {
            return Some((Self::Caf, 8));
        }
        match head.get(..4)? {
            b"RIFF" | b"RF64" | b"BW64" if form == b"WAVE" => Some((Self::Riff, 12)),
            b"RIFX" if form == b"WAVE" => Some((Self::Rifx, 12)),
            b"FORM" if matches!(form, b"AIFF" | b"AIFC") => Some((Self::Aiff, 12)),
            _ if head.starts_with(WAVE64) && head.get(24..28)? == b"wave" => {
                Some((Self::Wave64, 40))
            }
            _ => None,
        }
    }

    pub(super) fn u16(self, bytes: &[u8]) -> u16 {
        let bytes = [bytes[0], bytes[1]];
        match self {
            Self::Rifx | Self::Aiff | Self::Caf => u16::from_be_bytes(bytes),
            Self::Riff | Self::Wave64 => u16::from_le_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: &[u8]) -> u32 {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        match self {
            Self::Rifx | Self::Aiff | Self::Caf => u32::from_be_bytes(bytes),
            Self::Riff | Self::Wave64 => u32::from_le_bytes(bytes),
        }
    }
}

/// One chunk.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) name: [u8; 4],
    /// Place of its body in the file.
    pub(super) body: u64,
    /// Length of its body, as its header says.
    pub(super) bytes: u64,
}

impl Chunk {
    /// The chunk at a place; `None` at the end, or where none begins.
    pub(super) fn read(
        file: &mut File,
        family: Family,
        at: u64,
        end: u64,
    ) -> io::Result<Option<Self>> {
        let header_bytes = match family {
            Family::Riff | Family::Rifx | Family::Aiff => 8,
            Family::Caf => 12,
            Family::Wave64 => 24,
        };
        if at.checked_add(header_bytes).is_none_or(|body| body > end) {
            return Ok(None);
        }
        let header = bytes_at(file, at, header_bytes)?;
        let (Some(&name), true) = (header.first_chunk(), header.len() as u64 == header_bytes)
        else {
            return Ok(None);
        };
        let bytes = match family {
            Family::Riff | Family::Rifx | Family::Aiff => u64::from(family.u32(&header[4..])),
            Family::Caf => header[4..]
                .first_chunk()
                .map_or(0, |&size| u64::from_be_bytes(size)),
            // Counted from the start of the header.
            Family::Wave64 => header[16..]
                .first_chunk()
                .map_or(0, |&size| u64::from_le_bytes(size).saturating_sub(24)),
        };
        Ok(is_name(name).then_some(Self {
            name,
            body: at + header_bytes,
            bytes,
        }))
    }

    /// Where the next one begins: chunks are padded, but for those of careless writers.
    pub(super) fn next(&self, file: &mut File, family: Family, end: u64) -> io::Result<u64> {
        let after = self.body.saturating_add(self.bytes);
        let padded = match family {
            Family::Riff | Family::Rifx | Family::Aiff => after.saturating_add(self.bytes & 1),
            Family::Caf => after,
            Family::Wave64 => after.checked_next_multiple_of(8).unwrap_or(after),
        };
        let careless = padded != after && Self::read(file, family, after, end)?.is_some();
        Ok(if careless { after } else { padded })
    }
}

/// Names are four printable characters.
fn is_name(name: [u8; 4]) -> bool {
    name.iter().all(|byte| (b' '..=b'~').contains(byte))
}

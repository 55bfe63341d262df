//! The tags of RIFF files: a `LIST` of form `INFO`, one chunk for each tag.
//!
//! Read here because Symphonia 0.6.1 reads the list of a wav and does not hand it on.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::tags::{TagField, Tags};

/// The tags of a file; none if it is not a wav, or cannot be read.
pub(super) fn read(path: &Path) -> Tags {
    let mut tags = Tags::default();
    // What has been read before an error counts; the decoder says what is wrong.
    let _ = read_into(path, &mut tags);
    tags
}

fn read_into(path: &Path, tags: &mut Tags) -> io::Result<()> {
    /// More chunks and longer lists than recorders and editors write.
    const MAX_CHUNKS: usize = 1000;
    const MAX_LIST_BYTES: u32 = 1 << 16;
    let mut file = File::open(path)?;
    // A pipe cannot be read twice.
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    let mut head = [0; 12];
    file.read_exact(&mut head)?;
    if ![*b"RIFF", *b"RF64"].contains(&[head[0], head[1], head[2], head[3]])
        || head[8..] != *b"WAVE"
    {
        return Ok(());
    }
    for _ in 0..MAX_CHUNKS {
        let mut chunk = [0; 8];
        file.read_exact(&mut chunk)?;
        let bytes = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        let mut skip = i64::from(bytes) + i64::from(bytes % 2);
        if chunk[..4] == *b"LIST" && bytes <= MAX_LIST_BYTES {
            let mut list = vec![0; bytes as usize];
            file.read_exact(&mut list)?;
            skip = i64::from(bytes % 2);
            if let Some(info) = list.strip_prefix(b"INFO") {
                parse(info, tags);
            }
        }
        file.seek(SeekFrom::Current(skip))?;
    }
    Ok(())
}

fn parse(mut info: &[u8], tags: &mut Tags) {
    while let Some((head, rest)) = info.split_first_chunk::<8>() {
        let bytes = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let value = &rest[..bytes.min(rest.len())];
        let field = TagField::ALL
            .into_iter()
            .find(|field| field.riff_name().is_some_and(|name| head[..4] == *name));
        if let Some(field) = field {
            let value = value.split(|&byte| byte == 0).next().unwrap_or(value);
            // Old editors write Latin-1, whose bytes are the first characters of Unicode.
            let text = std::str::from_utf8(value).map_or_else(
                |_| value.iter().map(|&byte| char::from(byte)).collect(),
                str::to_owned,
            );
            tags.set(field, &text);
        }
        info = rest.get(bytes + bytes % 2..).unwrap_or_default();
    }
}

//! What a file is by its first bytes, where a song or a model was expected.

use std::fs::File;
use std::path::Path;

use super::section::bytes_at;

/// A kind of file that is neither a song nor a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// What it is, with its article: "a ZIP archive".
    pub what: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

/// How many bytes of a file [`Content::of`] looks at.
const HEAD_BYTES: u64 = 4096;

impl Content {
    /// What a file that starts with `head` is; `None` for sound, for models in PyTorch's and
    /// safetensors' formats only where `wants_model`, and for anything unknown.
    #[must_use]
    pub fn of(head: &[u8], wants_model: bool) -> Option<Self> {
        let content = |what, advice| Some(Self { what, advice });
        let unpack = "unpack it and name the file inside";
        let text = str::from_utf8(&head[..valid_text_bytes(head)]).unwrap_or_default();
        let words = text.trim_start_matches('\u{feff}').trim_start();
        let starts = |start: &str| {
            words
                .get(..start.len())
                .is_some_and(|word| word.eq_ignore_ascii_case(start))
        };
        if words.starts_with("version https://git-lfs.github.com/spec/") {
            return content(
                "a Git LFS pointer, which stands for a file that was not downloaded",
                "run `git lfs pull` in its repository, or download the file itself",
            );
        }
        if ["<!doctype html", "<html", "<head", "<?xml", "<!--"]
            .iter()
            .any(|start| starts(start))
        {
            return content(
                "a web page or XML text that was saved under this name",
                "download the file itself: open the page and follow its download link",
            );
        }
        match head {
            // A PyTorch checkpoint is a ZIP archive, or a pickle in older versions.
            [b'P', b'K', 3, 4, ..] if wants_model => None,
            [b'P', b'K', 3, 4, ..]
                if contains(head, b"data.pkl") || contains(head, b"/version") =>
            {
                content(
                    "a PyTorch checkpoint",
                    "name a song; a model goes with --model",
                )
            }
            [b'P', b'K', 3, 4, ..] => content("a ZIP archive", unpack),
            [0x1F, 0x8B, ..] => content("a gzip archive", unpack),
            [b'B', b'Z', b'h', ..] => content("a bzip2 archive", unpack),
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => content("an xz archive", unpack),
            [b'7', b'z', 0xBC, 0xAF, ..] => content("a 7-Zip archive", unpack),
            [b'R', b'a', b'r', b'!', ..] => content("a RAR archive", unpack),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => content("a Zstandard archive", unpack),
            [b'%', b'P', b'D', b'F', ..] => content("a PDF document", "name a song or a model"),
            [b'M', b'T', b'h', b'd', ..] => content(
                "a MIDI file, which holds notes and no sound",
                "play it with an instrument and record that as wav",
            ),
            [0x89, b'P', b'N', b'G', ..]
            | [0xFF, 0xD8, 0xFF, ..]
            | [b'G', b'I', b'F', b'8', ..] => content("a picture", "name a song or a model"),
            [0x89, b'H', b'D', b'F', ..] => content(
                "an HDF5 file (Keras or TensorFlow)",
                "a model is read from PyTorch or safetensors: export it there first",
            ),
            [0x7F, b'E', b'L', b'F', ..] | [b'M', b'Z', ..] => {
                content("a program or a library", "name a song or a model")
            }
            // The field `ir_version`, then `producer_name` with its length.
            [8, 1..=20, 0x12, length, producer @ ..]
                if producer
                    .iter()
                    .take(usize::from(*length))
                    .all(u8::is_ascii_graphic) =>
            {
                content(
                    "an ONNX model",
                    "use the PyTorch checkpoint that it was exported from",
                )
            }
            [0x80, 2..=5, ..] if !wants_model => {
                content("a pickle (an older PyTorch checkpoint, say)", "name a song")
            }
            // The length of a JSON header in 8 bytes, and the header.
            [_, _, _, 0, 0, 0, 0, 0, b'{', ..] if !wants_model => content(
                "a safetensors model",
                "name a song; a model goes with --model",
            ),
            _ if starts("{") && words.trim_start_matches('{').trim_start().starts_with('"') => {
                content("JSON text", "name the song or the model that belongs to it")
            }
            _ if is_config(words) => content(
                "a text of settings (YAML, TOML or INI)",
                "name the song or the checkpoint that belongs to it",
            ),
            _ if text.len() == head.len() && head.len() > 16 && is_prose(text) => {
                content("a text", "name a song or a model")
            }
            _ => None,
        }
    }

    /// The same for a file; `None` also where it cannot be read.
    #[must_use]
    pub fn of_file(path: &Path, wants_model: bool) -> Option<Self> {
        let head = bytes_at(&mut File::open(path).ok()?, 0, HEAD_BYTES).ok()?;
        Self::of(&head, wants_model)
    }
}

/// The container of a file that starts with `head`, if it is one of sound or film; `None` for others.
pub(super) fn media_container(head: &[u8]) -> Option<&'static str> {
    let at = |place: usize, mark: &[u8]| {
        head.get(place..)
            .is_some_and(|bytes| bytes.starts_with(mark))
    };
    let named = [
        (0, &b"\x1A\x45\xDF\xA3"[..], "Matroska or WebM"),
        (0, b"OggS", "Ogg"),
        (4, b"ftyp", "MP4"),
        (4, b"moov", "QuickTime"),
        (4, b"mdat", "QuickTime"),
        (0, b"caff", "CAF"),
        (0, b"wvpk", "WavPack"),
        (0, b"MAC ", "Monkey's Audio"),
        (0, b"TTA", "True Audio"),
        (0, b"MPCK", "Musepack"),
        (0, b"MP+", "Musepack"),
        (0, b"DSD ", "DSF"),
        (0, b"FRM8", "DSDIFF"),
        (0, b"\x30\x26\xB2\x75", "Windows Media (ASF)"),
        (0, b"RIFF", "RIFF"),
        (0, b"RIFX", "RIFF"),
        (0, b"RF64", "RF64"),
        (0, b"BW64", "BW64"),
        (0, b"riff", "Wave64"),
        (0, b"FORM", "AIFF"),
        (0, b".snd", "AU"),
        (0, b"fLaC", "FLAC"),
        (0, b"#!AMR", "AMR"),
        (0, b"FLV", "Flash Video"),
        (0, b"ADIF", "AAC (ADIF)"),
        (0, b"\x0B\x77", "Dolby AC-3"),
        (0, b"\x7F\xFE\x80\x01", "DTS"),
        (0, b"OFR ", "OptimFROG"),
        (0, b"ajkg", "Shorten"),
        (0, b"\x00\x00\x01\xBA", "MPEG program stream"),
        (0, b"Creative Voice File", "VOC"),
    ];
    let found = named.iter().find(|(place, mark, _)| at(*place, mark));
    let found = found.map(|(_, _, name)| *name);
    found.or_else(|| {
        const TRANSPORT_PACKET_BYTES: usize = 188;
        match head {
            [0x47, ..] if at(TRANSPORT_PACKET_BYTES, b"\x47") => Some("MPEG transport stream"),
            [0xFF, second, ..] if second & 0xE0 == 0xE0 => Some("MPEG audio"),
            [0x56, second, ..] if second & 0xE0 == 0xE0 => Some("AAC (LATM)"),
            _ => None,
        }
    })
}

/// A codec whose mark stands in the head of a file.
pub(super) fn named_codec(head: &[u8]) -> Option<&'static str> {
    let marks: [(&[u8], &str); 14] = [
        (b"OpusHead", "Opus"),
        (b"A_OPUS", "Opus"),
        (b"Speex   ", "Speex"),
        (b"A_AC3", "Dolby AC-3"),
        (b"A_EAC3", "Dolby Digital Plus"),
        (b"A_DTS", "DTS"),
        (b"A_TRUEHD", "Dolby TrueHD"),
        (b"A_WAVPACK4", "WavPack"),
        (b"A_TTA1", "True Audio"),
        (b"A_AAC", "AAC"),
        (b"ac-3", "Dolby AC-3"),
        (b"ec-3", "Dolby Digital Plus"),
        (b"dOps", "Opus"),
        (b"mp4a", "AAC other than LC (HE-AAC, say)"),
    ];
    marks
        .iter()
        .find(|(mark, _)| contains(head, mark))
        .map(|(_, name)| *name)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// As far as bytes are UTF-8.
fn valid_text_bytes(bytes: &[u8]) -> usize {
    match str::from_utf8(bytes) {
        Ok(text) => text.len(),
        Err(error) => error.valid_up_to(),
    }
}

/// Whether a text is lines of settings.
fn is_config(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#') && *line != "---")
        .take(3)
        .peekable();
    let is_setting = |line: &str| {
        let is_section = line.starts_with('[') && line.ends_with(']');
        let key = line.split([':', '=']).next().unwrap_or_default().trim();
        is_section
            || line.len() > key.len()
                && !key.is_empty()
                && key
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-.\"' ".contains(c))
                && key.split_whitespace().count() <= 2
    };
    lines.peek().is_some() && lines.all(is_setting)
}

/// Whether a text has no control characters but those of lines.
fn is_prose(text: &str) -> bool {
    !text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against bytes in an error message where a word would do.
    #[test]
    fn what_is_no_song_has_a_name() {
        let cases: [(&[u8], &str); 10] = [
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
                "Git LFS",
            ),
            (b"\n<!DOCTYPE html><html>", "web page"),
            (b"\xEF\xBB\xBF<HTML lang=en>", "web page"),
            (b"\x08\x08\x12\x07pytorch\x1A", "ONNX"),
            (b"\x1F\x8B\x08\0\0\0\0\0", "gzip"),
            (b"PK\x03\x04\0\0\0\0", "ZIP"),
            (b"MThd\0\0\0\x06", "MIDI"),
            (b"%PDF-1.7\n", "PDF"),
            (b"# a model\nmodel:\n  channels: 2\n", "settings"),
            (b"{\n \"model\": 1}", "JSON"),
        ];
        for (head, word) in cases {
            let content = Content::of(head, false).unwrap();
            assert!(content.what.contains(word), "{content:?}");
            assert!(Content::of(head, true).is_some() || head.starts_with(b"PK"));
        }
    }

    #[test]
    fn songs_and_wanted_models_are_left_alone() {
        let songs: [&[u8]; 6] = [
            b"RIFF\x24\0\0\0WAVEfmt ",
            b"fLaC\0\0\0\x22\x10\0",
            b"ID3\x04\0\0\0\0\0\x0A",
            b"OggS\0\x02\0\0\0\0",
            b"\0\0\0\x20ftypM4A ",
            b"\xFF\xFB\x90\x44\0\0",
        ];
        for head in songs {
            assert_eq!(Content::of(head, false), None);
        }
        let safetensors = b"\x40\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"F32\"}}";
        assert_eq!(Content::of(safetensors, true), None);
        assert!(Content::of(safetensors, false).is_some());
    }
}

//! Tags as iTunes writes them: `meta` with an `ilst` of atoms.

use super::boxes::{boxed, full_box};
use crate::files::tags::{TagField, Tags};

const BINARY: u32 = 0;
const UTF_8: u32 = 1;
const INTEGER: u32 = 21;

/// `meta`, or nothing where there are no tags.
pub(super) fn meta(tags: &Tags) -> Vec<u8> {
    let atoms: Vec<u8> = tags
        .iter()
        .filter_map(|(field, value)| atom(field, value))
        .flatten()
        .collect();
    if atoms.is_empty() {
        return atoms;
    }
    let handler = full_box(b"hdlr", 0, &[&[0; 4], b"mdirappl", &[0; 9]]);
    full_box(b"meta", 0, &[&handler, &boxed(b"ilst", &[&atoms])])
}

/// `None` for what the format cannot say, a tempo that is not a number say.
fn atom(field: TagField, value: &str) -> Option<Vec<u8>> {
    let name = match field {
        TagField::Title => b"\xA9nam",
        TagField::Artist => b"\xA9ART",
        TagField::Album => b"\xA9alb",
        TagField::AlbumArtist => b"aART",
        TagField::Composer => b"\xA9wrt",
        TagField::Genre => b"\xA9gen",
        TagField::Date => b"\xA9day",
        TagField::Comment => b"\xA9cmt",
        TagField::Track | TagField::Disc => {
            let (number, count) = value.split_once('/').unwrap_or((value, "0"));
            let numbers = [number, count].map(|text| text.trim().parse().unwrap_or(0_u16));
            let [number, count] = numbers.map(u16::to_be_bytes);
            let name = match field {
                TagField::Track => b"trkn",
                _ => b"disk",
            };
            let data = data(
                BINARY,
                &[&[0; 2], &number[..], &count[..], &[0; 2]].concat(),
            );
            return Some(boxed(name, &[&data]));
        }
        TagField::Bpm => {
            let bpm = value.parse::<f32>().ok()?.round() as u16;
            return Some(boxed(b"tmpo", &[&data(INTEGER, &bpm.to_be_bytes())]));
        }
        TagField::Key => return Some(free_form("initialkey", value)),
        TagField::Isrc => return Some(free_form("ISRC", value)),
    };
    Some(boxed(name, &[&data(UTF_8, value.as_bytes())]))
}

fn data(kind: u32, value: &[u8]) -> Vec<u8> {
    boxed(b"data", &[&kind.to_be_bytes(), &[0; 4], value])
}

fn free_form(name: &str, value: &str) -> Vec<u8> {
    boxed(
        b"----",
        &[
            &full_box(b"mean", 0, &[b"com.apple.iTunes"]),
            &full_box(b"name", 0, &[name.as_bytes()]),
            &data(UTF_8, value.as_bytes()),
        ],
    )
}

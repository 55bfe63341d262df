//! What a recording says about itself (title, artist, tempo), carried from a file to its stems.

use std::collections::BTreeMap;

use symphonia::core::formats::FormatReader;
use symphonia::core::meta::{MetadataRevision, StandardTag, Tag};

/// A kind of tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TagField {
    /// Title of the recording.
    Title,
    /// Its artist.
    Artist,
    /// The album it is on.
    Album,
    /// The artist of the whole album.
    AlbumArtist,
    /// Who wrote it.
    Composer,
    /// Genre.
    Genre,
    /// When it was released, a year or a date.
    Date,
    /// Number on the album, or number and count: `3` or `3/12`.
    Track,
    /// Number of the disc, or number and count.
    Disc,
    /// Tempo in beats per minute.
    Bpm,
    /// Musical key, such as `Am`.
    Key,
    /// The recording's international code.
    Isrc,
    /// A remark.
    Comment,
}

impl TagField {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Title,
        Self::Artist,
        Self::Album,
        Self::AlbumArtist,
        Self::Composer,
        Self::Genre,
        Self::Date,
        Self::Track,
        Self::Disc,
        Self::Bpm,
        Self::Key,
        Self::Isrc,
        Self::Comment,
    ];

    /// Its chunk in the `INFO` list of a wav, which has fewer kinds.
    pub(super) fn riff_name(self) -> Option<&'static [u8; 4]> {
        Some(match self {
            Self::Title => b"INAM",
            Self::Artist => b"IART",
            Self::Album => b"IPRD",
            Self::Composer => b"IMUS",
            Self::Genre => b"IGNR",
            Self::Date => b"ICRD",
            Self::Track => b"ITRK",
            Self::Comment => b"ICMT",
            Self::AlbumArtist | Self::Disc | Self::Bpm | Self::Key | Self::Isrc => return None,
        })
    }

    /// Its name in Vorbis comments, which FLAC and Opus files have.
    pub(super) fn vorbis_name(self) -> &'static str {
        match self {
            Self::Title => "TITLE",
            Self::Artist => "ARTIST",
            Self::Album => "ALBUM",
            Self::AlbumArtist => "ALBUMARTIST",
            Self::Composer => "COMPOSER",
            Self::Genre => "GENRE",
            Self::Date => "DATE",
            Self::Track => "TRACKNUMBER",
            Self::Disc => "DISCNUMBER",
            Self::Bpm => "BPM",
            Self::Key => "INITIALKEY",
            Self::Isrc => "ISRC",
            Self::Comment => "COMMENT",
        }
    }
}

/// The tags of a recording; empty where a file has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(BTreeMap<TagField, String>);

impl Tags {
    /// The value of a tag.
    #[must_use]
    pub fn get(&self, field: TagField) -> Option<&str> {
        self.0.get(&field).map(String::as_str)
    }

    /// Sets a tag; an empty value removes it.
    pub fn set(&mut self, field: TagField, value: &str) {
        // A zero byte ends a value in most formats, and most programs end a line at a line break.
        let value = value.replace(char::is_control, " ");
        match value.trim() {
            "" => self.0.remove(&field),
            value => self.0.insert(field, value.to_owned()),
        };
    }

    /// All tags that are set.
    pub fn iter(&self) -> impl Iterator<Item = (TagField, &str)> {
        self.0.iter().map(|(&field, value)| (field, value.as_str()))
    }

    /// The tags that a container holds in front of its audio. A file can hold several sets; the
    /// first one counts, and the others add what it lacks (ID3v1 cuts names at 30 characters).
    pub(super) fn of(format: &mut dyn FormatReader) -> Self {
        let mut tags = Self::default();
        let mut metadata = format.metadata();
        while let Some(set) = metadata.current() {
            tags.complete(Self::of_set(set));
            if metadata.pop().is_none() {
                break;
            }
        }
        tags
    }

    fn of_set(set: &MetadataRevision) -> Self {
        let tracks = set.per_track.iter().map(|track| &track.metadata.tags);
        let mut tags = Self::default();
        for tag in std::iter::once(&set.media.tags).chain(tracks).flatten() {
            if let Some((field, value)) = field_of(tag) {
                match (field, tags.get(field)) {
                    (_, None) => tags.set(field, &value),
                    // The count comes after the number.
                    (TagField::Track | TagField::Disc, Some(number)) if is_count(tag) => {
                        tags.set(field, &format!("{number}/{value}"));
                    }
                    (_, Some(_)) => {}
                }
            }
        }
        tags
    }

    /// Adds what is not set.
    pub(super) fn complete(&mut self, other: Self) {
        for (field, value) in other.0 {
            self.0.entry(field).or_insert(value);
        }
    }
}

fn is_count(tag: &Tag) -> bool {
    matches!(
        tag.std,
        Some(StandardTag::TrackTotal(_) | StandardTag::DiscTotal(_))
    )
}

fn field_of(tag: &Tag) -> Option<(TagField, String)> {
    use StandardTag as Std;
    let Some(standard) = &tag.std else {
        // The decoding library takes whole numbers alone for tempos.
        let is_tempo = ["TBPM", "BPM"].contains(&tag.raw.key.as_str());
        return is_tempo.then(|| (TagField::Bpm, tag.raw.value.to_string()));
    };
    let (field, text) = match standard {
        Std::TrackTitle(text) => (TagField::Title, text),
        Std::Artist(text) => (TagField::Artist, text),
        Std::Album(text) => (TagField::Album, text),
        Std::AlbumArtist(text) => (TagField::AlbumArtist, text),
        Std::Composer(text) => (TagField::Composer, text),
        Std::Genre(text) => (TagField::Genre, text),
        Std::ReleaseDate(text) | Std::RecordingDate(text) => (TagField::Date, text),
        Std::InitialKey(text) => (TagField::Key, text),
        Std::IdentIsrc(text) => (TagField::Isrc, text),
        Std::Comment(text) => (TagField::Comment, text),
        Std::TrackNumber(number) | Std::TrackTotal(number) => {
            return Some((TagField::Track, number.to_string()));
        }
        Std::DiscNumber(number) | Std::DiscTotal(number) => {
            return Some((TagField::Disc, number.to_string()));
        }
        Std::Bpm(number) => return Some((TagField::Bpm, number.to_string())),
        Std::ReleaseYear(year) | Std::RecordingYear(year) => {
            return Some((TagField::Date, year.to_string()));
        }
        _ => return None,
    };
    Some((field, text.to_string()))
}

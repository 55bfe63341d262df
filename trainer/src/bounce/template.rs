//! `--name`: how the results of a song are called.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Error, Result, bail, ensure};
use sanitise_file_name::{Options, sanitise_with_options};

/// Most bytes of a folder's or file's name that fields may fill; file systems hold 255, and endings
/// come behind it.
const NAME_BYTES: usize = 200;

/// What a template can say of a song.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Stem,
    Name,
    Artist,
    Title,
    Album,
    Track,
    Model,
}

/// Every field, as it is written between braces.
const FIELDS: [(&str, Field); 7] = [
    ("stem", Field::Stem),
    ("name", Field::Name),
    ("artist", Field::Artist),
    ("title", Field::Title),
    ("album", Field::Album),
    ("track", Field::Track),
    ("model", Field::Model),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

/// The values of a song's fields, but for the stem.
#[derive(Clone, Debug, Default)]
pub(super) struct SongFields {
    /// The input's name without its ending.
    pub(super) name: String,
    /// The input's name with its ending.
    pub(super) file_name: String,
    pub(super) artist: String,
    pub(super) title: String,
    pub(super) album: String,
    pub(super) track: String,
    pub(super) model: String,
}

/// A relative path with fields: `{artist} - {title}/{stem}`.
///
/// Whatever the fields' values are, a path made of it has as many parts as the template and stays below
/// the folder that it is joined to: each part becomes a name that Linux, macOS and Windows take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// `[folder or file][piece]`.
    parts: Vec<Vec<Piece>>,
}

impl Template {
    /// Whether each stem of a song gets a name of its own.
    pub(super) fn has_stem(&self) -> bool {
        self.pieces()
            .any(|piece| *piece == Piece::Field(Field::Stem))
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.parts.iter().flatten()
    }

    /// The path for `stem`, without an ending. Each `attempt` (from 0) gives another path for the same
    /// song: its last field is varied, `{name}` first by the input's ending, then by numbers.
    pub(super) fn path(&self, song: &SongFields, stem: &str, attempt: usize) -> PathBuf {
        let is_of_song =
            |piece: &Piece| matches!(piece, Piece::Field(field) if *field != Field::Stem);
        let pieces = self.pieces().count();
        let last = self
            .pieces()
            .collect::<Vec<_>>()
            .into_iter()
            .rposition(is_of_song);
        let varied = last.unwrap_or(pieces.saturating_sub(1));
        let mut index = 0;
        let mut path = PathBuf::new();
        for part in &self.parts {
            let fields = part.iter().filter(|piece| is_of_song(piece)).count();
            let mut name = String::new();
            for piece in part {
                let attempt = if index == varied { attempt } else { 0 };
                name.push_str(&piece.value(song, stem, attempt, NAME_BYTES / fields.max(1)));
                index += 1;
            }
            path.push(portable(&name));
        }
        path
    }
}

impl Piece {
    fn value(&self, song: &SongFields, stem: &str, attempt: usize, most_bytes: usize) -> String {
        let (value, number) = match self {
            Self::Text(text) => return numbered(text, attempt + 1),
            Self::Field(Field::Name) if attempt > 0 => (&*song.file_name, attempt),
            Self::Field(Field::Name) => (&*song.name, 1),
            Self::Field(Field::Stem) => (stem, attempt + 1),
            Self::Field(Field::Artist) => (&*song.artist, attempt + 1),
            Self::Field(Field::Title) => (&*song.title, attempt + 1),
            Self::Field(Field::Album) => (&*song.album, attempt + 1),
            Self::Field(Field::Track) => (&*song.track, attempt + 1),
            Self::Field(Field::Model) => (&*song.model, attempt + 1),
        };
        let end = value.floor_char_boundary(most_bytes);
        numbered(&portable(&value[..end]), number)
    }
}

/// `value`, with its number from the second on.
fn numbered(value: &str, number: usize) -> String {
    match number {
        0 | 1 => value.to_owned(),
        _ => format!("{value} ({number})"),
    }
}

/// A name that Linux, macOS and Windows take for a file or folder, `_` where nothing else is left.
fn portable(name: &str) -> String {
    let options = Options {
        // What follows a dot in a song's name is no ending.
        extension_cleverness: false,
        ..Options::DEFAULT
    };
    let name = sanitise_with_options(name, &options);
    // Windows reserves CON.wav as well as CON.
    let base = name.split('.').next().unwrap_or_default().trim_end();
    match base.is_empty() || sanitise_with_options(base, &options) == base {
        true => name,
        false => format!("_{name}"),
    }
}

impl FromStr for Template {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split('/').map(pieces).collect::<Result<Vec<_>>>()?;
        for (part, written) in parts.iter().zip(text.split('/')) {
            ensure!(
                !part.is_empty() && !matches!(written, "." | ".."),
                "{text:?} is not a path below the output folder: give folders and a file's name, \
                 separated by single slashes, e.g. {{artist}} - {{title}}/{{stem}}"
            );
        }
        Ok(Self { parts })
    }
}

fn pieces(part: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = part;
    while let Some((text, behind)) = rest.split_once('{') {
        let Some((name, behind)) = behind.split_once('}') else {
            bail!("{part:?} has a {{ without its }}");
        };
        let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else {
            let known = FIELDS.map(|(name, _)| format!("{{{name}}}")).join(", ");
            bail!("{{{name}}} is not a field of songs: use {known}");
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        pieces.push(Piece::Field(*field));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn song(name: &str, artist: &str, title: &str) -> SongFields {
        SongFields {
            name: name.into(),
            file_name: format!("{name}.wav"),
            artist: artist.into(),
            title: title.into(),
            ..SongFields::default()
        }
    }

    fn path(template: &str, song: &SongFields, attempt: usize) -> String {
        let template: Template = template.parse().unwrap();
        template
            .path(song, "drums", attempt)
            .to_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn fields_are_filled_in_and_attempts_differ() {
        let song = song("01", "Ann", "Rain");
        assert_eq!(path("{name}/{stem}", &song, 0), "01/drums");
        assert_eq!(path("{name}/{stem}", &song, 1), "01.wav/drums");
        assert_eq!(path("{name}/{stem}", &song, 2), "01.wav (2)/drums");
        let by_tags = "{artist}/{title} ({stem})";
        assert_eq!(path(by_tags, &song, 0), "Ann/Rain (drums)");
        assert_eq!(path(by_tags, &song, 1), "Ann/Rain (2) (drums)");
        assert_eq!(path("mix/{stem}", &song, 1), "mix/drums (2)");
        assert_eq!(path("karaoke", &song, 1), "karaoke (2)");
    }

    /// Guards the folders around the output: a song called `..` wrote into its parent, and replaced a
    /// file there.
    #[test]
    fn no_value_leaves_the_output_folder_or_adds_a_part() {
        let values = [
            ".",
            "..",
            "...",
            ". .",
            " ",
            "",
            "/",
            "../..",
            "/etc",
            "a/b",
            "a\\b",
            "..\\..",
            "C:",
            "C:\\x",
            "\0",
            "a\nb",
            "CON",
            "nul",
            "com1",
            "LPT9.x",
            "name.",
            "name ",
            "what?",
            "a:b",
            "a*b",
            "<a>",
            "a|b",
            "\"a\"",
            "~",
            "-rf",
            "\u{202e}gpj",
        ];
        for value in values {
            let song = song(value, value, value);
            for template in [
                "{name}/{stem}",
                "{artist}/{title}/{stem}",
                "{artist}{title}/{stem}",
            ] {
                for attempt in 0..3 {
                    let path = path(template, &song, attempt);
                    let parts = template.split('/').count();
                    let components = Path::new(&path).components();
                    let is_normal = |part| matches!(part, std::path::Component::Normal(_));
                    assert_eq!(components.clone().count(), parts, "{value:?} {path:?}");
                    assert!(components.clone().all(is_normal), "{value:?} {path:?}");
                    for part in path.split('/') {
                        assert!(
                            !part.contains(['\\', ':', '*', '?', '"', '<', '>', '|', '\0', '\n'])
                        );
                        assert!(!part.ends_with(['.', ' ']), "{value:?} {path:?}");
                        let base = part.split('.').next().unwrap().to_ascii_uppercase();
                        assert!(
                            !["CON", "NUL", "COM1", "LPT9"].contains(&&*base),
                            "{path:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn long_values_leave_room_for_endings() {
        for letter in ["a", "ß", "曲", "🎵"] {
            let long = song(
                &letter.repeat(300),
                &letter.repeat(300),
                &letter.repeat(300),
            );
            for template in ["{name}/{stem}", "{artist} - {title} {stem}"] {
                let first = path(template, &long, 0);
                assert!(first.split('/').all(|part| part.len() <= 220), "{first}");
                assert!(first.ends_with("drums") && first != path(template, &long, 2));
            }
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_the_way_out() {
        for (text, said) in [
            ("", "below the output folder"),
            ("/{stem}", "below the output folder"),
            ("../{stem}", "below the output folder"),
            ("{name}//{stem}", "below the output folder"),
            ("{name}/", "below the output folder"),
            ("{genre}/{stem}", "{artist}"),
            ("{stem", "without its }"),
        ] {
            let error = text.parse::<Template>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}

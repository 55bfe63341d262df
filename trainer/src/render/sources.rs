//! What sound may be taken from: a soundfont, a speech synthesizer, recordings, own synthesis.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use rustysynth::SoundFont;

use super::{instruments::voice::speech::Flite, recorded::Recordings};
use crate::output::eprint_line;

/// Where Debian's `fluid-soundfont-gm` lies.
const DEBIAN_FONT: &str = "/usr/share/sounds/sf2/FluidR3_GM.sf2";

/// From here on General MIDI kits are no drum kits: orchestral percussion, sound effects.
const FIRST_ODD_KIT: i32 = 48;

/// A soundfont in memory.
#[derive(Clone)]
pub(crate) struct Font {
    /// The samples and presets, shared by all players.
    pub(crate) font: Arc<SoundFont>,
    /// Its name, from the file.
    pub(crate) name: String,
    /// Programs of bank 128: its drum kits.
    pub(crate) kits: Vec<i32>,
    /// What is known of its licence.
    pub(crate) licence: String,
}

/// Everything that songs are rendered from. Loaded once, shared by all songs.
#[derive(Clone, Default)]
pub struct Sources {
    pub(crate) font: Option<Font>,
    pub(crate) recordings: Recordings,
    /// Who speaks words to sing.
    pub(crate) speech: Option<Flite>,
}

impl Sources {
    /// Own synthesis alone: needs no file.
    #[must_use]
    pub fn synthesis_only() -> Self {
        Self::default()
    }

    /// Finds and loads the soundfont (the given one, else `BUNRI_SOUNDFONT`, else Debian's
    /// `fluid-soundfont-gm`), looks for the speech synthesizer `flite`, and lists the recordings in
    /// the given folders.
    ///
    /// Without any soundfont the songs are made by synthesis alone.
    ///
    /// # Errors
    /// If a soundfont that was asked for cannot be read, or a folder does not exist.
    pub fn discover(soundfont: Option<PathBuf>, recorded: &[PathBuf]) -> anyhow::Result<Self> {
        let asked = soundfont.or_else(|| std::env::var_os("BUNRI_SOUNDFONT").map(PathBuf::from));
        let font = match asked {
            Some(path) => Some(load_font(&path)?),
            None if Path::new(DEBIAN_FONT).exists() => Some(load_font(Path::new(DEBIAN_FONT))?),
            None => None,
        };
        Ok(Self {
            font,
            recordings: Recordings::discover(recorded)?,
            speech: Flite::find(),
        })
    }

    /// Says on stderr what would make the songs more varied, and how to get it.
    pub(crate) fn say_what_is_missing(&self) {
        if !self.has_soundfont() {
            eprint_line!(
                "No soundfont: instruments are synthesized only. For more variety install one \
                 (Debian: apt install fluid-soundfont-gm) or name one by BUNRI_SOUNDFONT."
            );
        }
        if self.speech.is_none() {
            eprint_line!(
                "No flite: singers are synthesized only, or recorded. For singing made of spoken \
                 words install it (Debian: apt install flite)."
            );
        }
    }

    /// Whether a soundfont is there.
    #[must_use]
    pub fn has_soundfont(&self) -> bool {
        self.font.is_some()
    }
}

fn load_font(path: &Path) -> anyhow::Result<Font> {
    let file =
        File::open(path).with_context(|| format!("opening the soundfont {}", path.display()))?;
    let font = SoundFont::new(&mut BufReader::new(file))
        .map_err(|error| anyhow::anyhow!("{error}"))
        .with_context(|| format!("reading the soundfont {}", path.display()))?;
    let mut kits: Vec<i32> = font
        .get_presets()
        .iter()
        .filter(|preset| {
            preset.get_bank_number() == 128 && preset.get_patch_number() < FIRST_ODD_KIT
        })
        .map(|preset| preset.get_patch_number())
        .collect();
    kits.sort_unstable();
    kits.dedup();
    let file_name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = file_name.unwrap_or_default();
    let licence = if name.starts_with("FluidR3") {
        "MIT (Frank Wen, Fluid R3 GM)".to_owned()
    } else {
        "unknown: see the soundfont's own licence".to_owned()
    };
    Ok(Font {
        font: Arc::new(font),
        name,
        kits,
        licence,
    })
}

//! What the user prefers of every editor, kept in a small file of the user's.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Sizes to choose from, in percent.
pub const ZOOMS_PERCENT: [u32; 6] = [75, 100, 125, 150, 175, 200];

/// What holds for every editor of this user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Nothing scrolls or falls; the display moves on in slow steps, in place.
    pub reduced_motion: bool,
    /// Size on top of the screen's own scale, in percent.
    pub zoom_percent: u32,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            reduced_motion: false,
            zoom_percent: 100,
        }
    }
}

impl Preferences {
    /// As they were kept; defaults where there are none.
    #[must_use]
    pub fn load() -> Self {
        let text = file().and_then(|file| std::fs::read_to_string(file).ok());
        let loaded: Option<Self> = text.and_then(|text| serde_json::from_str(&text).ok());
        let mut preferences = loaded.unwrap_or_default();
        preferences.zoom_percent = preferences.zoom_percent.clamp(50, 400);
        preferences
    }

    /// Keeps them. That they cannot be kept is no reason to disturb anybody.
    pub fn save(&self) {
        let Some(file) = file() else { return };
        let Ok(text) = serde_json::to_string_pretty(self) else {
            return;
        };
        let _ = file.parent().map(std::fs::create_dir_all);
        let _ = std::fs::write(file, text);
    }

    /// Size on top of the screen's own scale, as a factor.
    #[must_use]
    pub fn zoom(&self) -> f32 {
        self.zoom_percent as f32 / 100.0
    }
}

/// `editor.json`, beside the user's engines and models.
fn file() -> Option<PathBuf> {
    let engines = bunri_stream::engine::search::user_folder()?;
    Some(engines.parent()?.join("editor.json"))
}

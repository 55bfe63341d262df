//! A small chooser of files, drawn in the editor itself: native dialogs are many packages more, and
//! from inside a host they hang some of them.

use std::path::{Path, PathBuf};

use egui::{Id, Key, Modal, RichText, ScrollArea, TextEdit, Ui};

use super::state::Draw;
use super::theme;
use super::view::{Action, TransportAction};

/// What a file is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Model,
    Audio,
}

impl Purpose {
    fn title(self) -> &'static str {
        match self {
            Self::Model => "Choose a model file",
            Self::Audio => "Choose an audio file",
        }
    }

    fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Model => &["safetensors", "toml"],
            Self::Audio => &[
                "wav", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac", "aif", "aiff",
            ],
        }
    }

    fn action(self, path: PathBuf) -> Action {
        match self {
            Self::Model => Action::ModelFile(path),
            Self::Audio => Action::Transport(TransportAction::Open(path)),
        }
    }
}

/// An open chooser.
#[derive(Debug)]
pub(super) struct Browser {
    purpose: Purpose,
    folder: PathBuf,
    /// Folders, then files, by name.
    entries: Vec<Listed>,
    /// What is written in the field.
    typed: String,
    problem: Option<String>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    is_file: bool,
    name: String,
}

impl Browser {
    pub(super) fn open(purpose: Purpose, folder: Option<PathBuf>) -> Self {
        let mut browser = Self {
            purpose,
            folder: PathBuf::new(),
            entries: Vec::new(),
            typed: String::new(),
            problem: None,
        };
        browser.enter(&folder.unwrap_or_else(|| PathBuf::from("/")));
        browser
    }

    /// Lists a folder; where that fails, the old one stays.
    fn enter(&mut self, folder: &Path) {
        match list(folder, self.purpose.extensions()) {
            Ok(entries) => {
                self.entries = entries;
                self.folder = folder.to_owned();
                self.typed = folder.display().to_string();
                self.problem = None;
            }
            Err(error) => {
                self.problem = Some(format!("{} cannot be opened: {error}", folder.display()));
            }
        }
    }

    /// Takes what is in the field: a folder is entered, a file chosen.
    fn take_typed(&mut self) -> Option<PathBuf> {
        let path = PathBuf::from(self.typed.trim());
        if path.is_file() {
            return Some(path);
        }
        self.enter(&path);
        None
    }
}

fn list(folder: &Path, extensions: &[&str]) -> std::io::Result<Vec<Listed>> {
    let mut entries: Vec<Listed> = folder
        .read_dir()?
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let name = entry.file_name().into_string().ok()?;
            let extension = path.extension().and_then(|extension| extension.to_str());
            let is_file = path.is_file();
            let wanted = extension.is_some_and(|extension| {
                extensions
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case(extension))
            });
            let shown = !name.starts_with('.') && (path.is_dir() || (is_file && wanted));
            shown.then_some(Listed { is_file, name })
        })
        .collect();
    entries.sort();
    Ok(entries)
}

/// Draws the chooser, if it is open.
pub(super) fn chooser(ui: &mut Ui, draw: &mut Draw<'_>) {
    let Some(mut browser) = draw.state.browser.take() else {
        return;
    };
    let mut chosen = None;
    let mut cancelled = false;
    let modal = Modal::new(Id::unique("files")).show(ui.ctx(), |ui| {
        ui.set_width((ui.ctx().content_rect().width() - 80.0).clamp(280.0, 620.0));
        ui.label(
            RichText::new(browser.purpose.title())
                .heading()
                .color(theme::TEXT),
        );
        let field = TextEdit::singleline(&mut browser.typed)
            .hint_text("Path")
            .desired_width(f32::INFINITY);
        let field = ui.add(field);
        if field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            chosen = browser.take_typed();
        }
        let mut entered = None;
        if let Some(parent) = browser.folder.parent()
            && ui.button("Up to the folder above").clicked()
        {
            entered = Some(parent.to_owned());
        }
        let height = (ui.ctx().content_rect().height() - 260.0).clamp(80.0, 360.0);
        ScrollArea::vertical()
            .max_height(height)
            .auto_shrink([false, false])
            .show(ui, |ui| {
                for entry in &browser.entries {
                    let text = if entry.is_file {
                        entry.name.clone()
                    } else {
                        format!("{} /", entry.name)
                    };
                    let response = ui.selectable_label(false, text);
                    if response.clicked() {
                        let path = browser.folder.join(&entry.name);
                        if entry.is_file {
                            chosen = Some(path);
                        } else {
                            entered = Some(path);
                        }
                    }
                }
                if browser.entries.is_empty() {
                    let kinds = browser.purpose.extensions().join(", ");
                    ui.label(format!(
                        "No folders and no files of these kinds here: {kinds}"
                    ));
                }
            });
        if let Some(folder) = entered {
            browser.enter(&folder);
        }
        if let Some(problem) = &browser.problem {
            ui.label(RichText::new(problem).color(theme::ALARM));
        }
        ui.horizontal(|ui| {
            if ui.button("Open").clicked() {
                chosen = browser.take_typed();
            }
            cancelled = ui.button("Cancel").clicked();
        });
    });
    match chosen {
        Some(path) => draw.actions.push(browser.purpose.action(path)),
        None if cancelled || modal.should_close() => {}
        None => draw.state.browser = Some(browser),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_first_and_only_wanted_files_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.WAV", "a.flac", "notes.txt", ".hidden.wav"] {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }
        std::fs::create_dir(folder.path().join("zebra")).unwrap();
        let browser = Browser::open(Purpose::Audio, Some(folder.path().to_owned()));
        let names: Vec<_> = browser
            .entries
            .iter()
            .map(|entry| entry.name.as_str())
            .collect();
        assert_eq!(names, ["zebra", "a.flac", "b.WAV"]);
    }

    /// Guards against a chooser that is lost in a folder that does not exist.
    #[test]
    fn a_folder_that_cannot_be_opened_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("m.safetensors"), b"x").unwrap();
        let mut browser = Browser::open(Purpose::Model, Some(folder.path().to_owned()));
        browser.typed = folder.path().join("missing").display().to_string();
        assert_eq!(browser.take_typed(), None);
        assert!(browser.problem.is_some());
        assert_eq!(browser.folder, folder.path());
        browser.typed = folder.path().join("m.safetensors").display().to_string();
        assert!(browser.take_typed().is_some());
    }
}

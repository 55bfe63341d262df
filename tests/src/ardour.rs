//! Ardour 7, without a screen: a session is made, saved, and exported faster than real time while
//! the host claims to play.
//!
//! ```text
//! ardour-vst3-scanner → ardour7-lua (tracks, Bunri, saved) → the input put into the file → ardour7-export
//! ```
//!
//! Ardour's scripts cannot import audio without its editor, so the input's source and regions are
//! written into the session file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use bunri_stream::{Encoding, FileWriter, Planar, read_clip};
use tempfile::TempDir;

use crate::own_process::Environment;
use crate::programs;

const LUA: &str = "/usr/bin/ardour7-lua";
const EXPORT: &str = "/usr/bin/ardour7-export";
const SCANNER: &str = "/usr/lib/ardour7/ardour-vst3-scanner";
/// Where the scanner finds Ardour's libraries, as Debian's own wrapper scripts say.
const LIBRARIES: &str = "/usr/lib/ardour7";

/// Far longer than any of these sessions needs on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Ardour 7.3's export aborts now and then (`free(): invalid size` in its own `ExportGraphBuilder`), or
/// hangs: 19 of 82 times on a busy machine, in a session without any plugin. It is started again.
const ATTEMPTS: usize = 8;
/// Ardour 7's unit of time: so many in a second.
const SUPERCLOCKS_PER_SECOND: u64 = 282_240_000;
/// Above all ids that Ardour gives away in a new session.
const FIRST_ID: u64 = 1_000_000;

/// An Ardour that knows the plugin, in a home of its own.
#[derive(Debug)]
pub struct Ardour {
    home: TempDir,
    environment: Environment,
    /// Time of one scan.
    pub scan: Duration,
}

/// A session with the input in every track.
#[derive(Debug)]
pub struct Session {
    folder: PathBuf,
    rate_hz: u32,
}

impl Ardour {
    /// Scans the bundle, which the sessions then find.
    ///
    /// # Errors
    /// Why there is no Ardour.
    ///
    /// # Panics
    /// If the scan fails.
    pub fn find(vst3: &Path, environment: Environment) -> Result<Self, String> {
        for program in [LUA, EXPORT, SCANNER] {
            if !Path::new(program).is_file() {
                return Err(format!(
                    "no {program}: `apt-get install ardour`, which `cargo verify --hosts` does as root"
                ));
            }
        }
        let home = tempfile::tempdir().expect("a temporary folder");
        let installed = home.path().join(".vst3/Bunri.vst3");
        let inside = Path::new("Contents/x86_64-linux");
        std::fs::create_dir_all(installed.join(inside)).expect("the bundle's folders");
        let library = crate::bundle::vst3_library(&installed);
        std::fs::copy(crate::bundle::vst3_library(vst3), &library).expect("the plugin installed");
        // Ardour takes no notice of a scan of the same second.
        let past = SystemTime::now() - Duration::from_secs(60);
        for path in [&installed, &library] {
            let opened = std::fs::File::open(path).expect("the bundle");
            opened.set_modified(past).expect("its time");
        }
        let mut ardour = Self {
            home,
            environment,
            scan: Duration::ZERO,
        };
        let started = std::time::Instant::now();
        ardour.run(Command::new(SCANNER).arg("-f").arg(&installed), "the scan");
        ardour.scan = started.elapsed();
        Ok(ardour)
    }

    /// Makes a session named `name`; `calls` are those of `hosts/session.lua`, with the tracks in it.
    ///
    /// # Panics
    /// If Ardour refuses.
    #[must_use]
    pub fn session(&self, name: &str, rate_hz: u32, calls: &str, input: &Planar) -> Session {
        let folder = self.home.path().join(name);
        if folder.exists() {
            // An earlier attempt's.
            std::fs::remove_dir_all(&folder).expect("the old session removed");
        }
        let script = self.home.path().join(name).with_extension("lua");
        let text = format!(
            "{}\nbegin({:?}, {rate_hz})\n{calls}\nfinish()\n",
            include_str!("../hosts/session.lua"),
            folder.display().to_string(),
        );
        std::fs::write(&script, text).expect("the script");
        let said = self.run(Command::new(LUA).arg(&script), name);
        let session = Session { folder, rate_hz };
        // An error in a script ends it, and is no failure of the program.
        assert!(
            session.file().is_file() && !said.contains("assertion failed"),
            "{name}: Ardour made no session: {said}"
        );
        session.put_in(input);
        session
    }

    /// Renders the session's master bus, as long as the input.
    ///
    /// # Panics
    /// If Ardour fails.
    #[must_use]
    pub fn export(&self, session: &Session) -> Planar {
        let file = session.folder.with_extension("wav");
        let mut command = Command::new(EXPORT);
        command.args(["-b", "float", "-o"]).arg(&file);
        command.arg(&session.folder).arg("session");
        for attempt in 1..ATTEMPTS {
            match self.try_run(&mut command) {
                Ok(_) => break,
                Err(fault) => println!("Ardour's export, attempt {attempt}: {fault}"),
            }
            if attempt + 1 == ATTEMPTS {
                self.run(&mut command, "the export");
            }
        }
        let clip = read_clip(&file).expect("the exported file");
        assert_eq!(clip.rate_hz, session.rate_hz, "rate of the export");
        clip.audio
    }

    /// Another environment from now on.
    pub fn change(&mut self, environment: Environment) {
        self.environment = environment;
    }

    fn run(&self, command: &mut Command, what: &str) -> String {
        self.try_run(command)
            .unwrap_or_else(|fault| panic!("Ardour, {what}: {fault}"))
    }

    /// What the program says, or how it failed.
    fn try_run(&self, command: &mut Command) -> Result<String, String> {
        let home = self.home.path();
        command.env("HOME", home).env("LD_LIBRARY_PATH", LIBRARIES);
        self.environment.apply(command, &home.join("xdg"));
        let ended = programs::run(command, LIMIT);
        match ended.fault() {
            Some(fault) => Err(format!("{fault}: {}", ended.errors)),
            None => Ok(ended.output + &ended.errors),
        }
    }
}

impl Session {
    /// The session file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("session.ardour")
    }

    /// Changes the session file's text.
    ///
    /// # Panics
    /// If that changes nothing.
    pub fn edit(&self, change: impl FnOnce(&str) -> String) {
        let before = std::fs::read_to_string(self.file()).expect("the session");
        let after = change(&before);
        assert_ne!(before, after, "an edit of the session that does nothing");
        std::fs::write(self.file(), after).expect("the session written");
    }

    /// Puts the input at the beginning of every track's playlist, and makes it the session's range.
    fn put_in(&self, input: &Planar) {
        let name = self.folder.file_name().expect("the session's name");
        let audio = self
            .folder
            .join("interchange")
            .join(name)
            .join("audiofiles");
        let path = audio.join("input.wav");
        let mut file = FileWriter::create(&path, self.rate_hz, 2, Encoding::Wav32Float)
            .expect("the input's file");
        file.write(input).expect("the input written");
        file.finish().expect("the input written");

        let unit = SUPERCLOCKS_PER_SECOND / u64::from(self.rate_hz);
        let length = input.frames() as u64 * unit;
        let [left, right, range] = [0, 1, 2].map(|offset| FIRST_ID + offset);
        let source = |id, channel| {
            format!(
                r#"<Source name="input.wav" type="audio" flags="" id="{id}" take-id="" gain="1" channel="{channel}" origin=""/>"#
            )
        };
        self.edit(|text| {
            let sources = format!("<Sources>{}{}</Sources>", source(left, 0), source(right, 1));
            let location = format!(
                r#"<Locations><Location id="{range}" name="session" start="a0" end="a{length}" flags="IsSessionRange" locked="0" timestamp="0" cue="0"/></Locations>"#
            );
            let text = text
                .replacen("<Sources/>", &sources, 1)
                .replacen("<Locations/>", &location, 1);
            let (before, playlists) = text.split_once("<Playlists>").expect("the playlists");
            let (playlists, after) = playlists.split_once("</Playlists>").expect("their end");
            let mut filled = String::new();
            for (index, playlist) in playlists.split_inclusive("/>").enumerate() {
                let Some(open) = playlist.strip_suffix("/>") else {
                    filled += playlist;
                    continue;
                };
                let id = range + 1 + index as u64;
                filled += &format!(
                    r#"{open}><Region name="input" id="{id}" type="audio" first-edit="nothing" muted="0" opaque="1" whole-file="0" start="a0" length="a{length}@a0" fade-in-active="0" fade-out-active="0" scale-amplitude="1" channels="2" source-0="{left}" source-1="{right}" master-source-0="{left}" master-source-1="{right}"/></Playlist>"#
                );
            }
            format!("{before}<Playlists>{filled}</Playlists>{after}")
        });
    }
}

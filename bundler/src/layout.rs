//! The plugin's bundles, file by file, on each system that has them.
//!
//! From Steinberg's *Plug-in Format Structure* (VST 3 developer portal, Locations / Format) and from
//! the comments of CLAP's `entry.h`:
//!
//! | | CLAP | VST3 |
//! |---|---|---|
//! | Linux | `Bunri.clap`, a library | `Bunri.vst3/Contents/x86_64-linux/Bunri.so` |
//! | macOS | `Bunri.clap`, a bundle | `Bunri.vst3`, a bundle: `Contents/{MacOS/Bunri,Info.plist,PkgInfo}` |
//! | Windows | `Bunri.clap`, a library | `Bunri.vst3/Contents/x86_64-win/Bunri.vst3` |
//!
//! Beside both lies the folder with the engine, where the plugin's loader looks for it on every
//! system (`engine::search` in bunri-stream). Only Linux's libraries are built today.
//!
//! There is no `moduleinfo.json`, which lets a VST3 host list a plugin without loading it: loading
//! Bunri opens no libtorch and takes milliseconds, and a host believes the file over the library
//! should the two ever disagree.

/// The plugin's name in files and hosts.
pub(crate) const NAME: &str = "Bunri";
/// Where the plugin's loader looks for an engine: see `engine::search` in bunri-stream.
pub(crate) const ENGINE_FOLDER: &str = "bunri-engine";
/// Where, in there, the engine's own run path says that libtorch lies.
pub(crate) const LIBTORCH_FOLDER: &str = "libtorch";

/// An operating system with bundles of its own shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Linux,
    // Both are laid out and tested, and have no libraries yet.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only Linux's libraries are built today")
    )]
    MacOs,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only Linux's libraries are built today")
    )]
    Windows,
}

/// What bundles are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) system: System,
    /// The processor as Rust calls it: `x86_64` or `aarch64`.
    pub(crate) processor: &'static str,
}

impl Target {
    /// The only one whose libraries are built.
    pub(crate) const LINUX: Target = Target {
        system: System::Linux,
        processor: "x86_64",
    };

    /// Name of the engine's library: see `engine::search` in bunri-stream.
    pub(crate) fn engine_library(self) -> &'static str {
        match self.system {
            System::Linux => "libbunri_engine.so",
            System::MacOs => "libbunri_engine.dylib",
            System::Windows => "bunri_engine.dll",
        }
    }

    /// Every file of both bundles and the engine, by its path relative to the folder they lie in,
    /// with `/` between its parts.
    pub(crate) fn files(self, version: &str) -> Vec<(String, Content)> {
        let mut files = Vec::new();
        match self.system {
            System::Linux => {
                files.push((format!("{NAME}.clap"), Content::Plugin));
                let folder = format!("{}-linux", self.processor);
                files.push((
                    format!("{NAME}.vst3/Contents/{folder}/{NAME}.so"),
                    Content::Plugin,
                ));
            }
            System::Windows => {
                files.push((format!("{NAME}.clap"), Content::Plugin));
                // Microsoft's name of the processor, not Rust's.
                let processor = match self.processor {
                    "aarch64" => "arm64",
                    other => other,
                };
                files.push((
                    format!("{NAME}.vst3/Contents/{processor}-win/{NAME}.vst3"),
                    Content::Plugin,
                ));
            }
            System::MacOs => {
                for ending in ["clap", "vst3"] {
                    let contents = format!("{NAME}.{ending}/Contents");
                    files.push((format!("{contents}/MacOS/{NAME}"), Content::Plugin));
                    files.push((
                        format!("{contents}/Info.plist"),
                        Content::Text(info_plist(ending, version)),
                    ));
                    // Type and creator: a bundle of nobody in particular.
                    files.push((
                        format!("{contents}/PkgInfo"),
                        Content::Text("BNDL????".into()),
                    ));
                }
            }
        }
        let engine = format!("{ENGINE_FOLDER}/{}", self.engine_library());
        files.push((engine, Content::Engine));
        files
    }
}

/// What a file is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// The plugin's library, one for both formats.
    Plugin,
    /// The engine's library.
    Engine,
    Text(String),
}

/// A bundle's property list, with the keys that Apple's bundle programming guide asks of a loadable
/// bundle.
fn info_plist(ending: &str, version: &str) -> String {
    let entries = [
        ("CFBundleDevelopmentRegion", "en"),
        ("CFBundleExecutable", NAME),
        // One identifier each: macOS takes bundles of the same identifier for the same bundle.
        ("CFBundleIdentifier", &format!("org.bunri.{ending}")),
        ("CFBundleInfoDictionaryVersion", "6.0"),
        ("CFBundleName", NAME),
        ("CFBundlePackageType", "BNDL"),
        ("CFBundleShortVersionString", version),
        ("CFBundleSignature", "????"),
        ("CFBundleVersion", version),
    ];
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n",
    );
    for (key, value) in entries {
        text += &format!("\t<key>{key}</key>\n\t<string>{value}</string>\n");
    }
    // The editor draws its own pixels.
    text += "\t<key>NSHighResolutionCapable</key>\n\t<true/>\n</dict>\n</plist>\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(system: System, processor: &'static str) -> Vec<String> {
        let target = Target { system, processor };
        let files = target.files("1.2.3");
        files.into_iter().map(|(path, _)| path).collect()
    }

    /// Guards against bundles that a host of that system would not recognise.
    #[test]
    fn every_system_has_the_shape_its_documents_ask_for() {
        assert_eq!(
            paths(System::Linux, "x86_64"),
            [
                "Bunri.clap",
                "Bunri.vst3/Contents/x86_64-linux/Bunri.so",
                "bunri-engine/libbunri_engine.so",
            ]
        );
        assert_eq!(
            paths(System::Windows, "x86_64"),
            [
                "Bunri.clap",
                "Bunri.vst3/Contents/x86_64-win/Bunri.vst3",
                "bunri-engine/bunri_engine.dll",
            ]
        );
        assert_eq!(
            paths(System::MacOs, "aarch64"),
            [
                "Bunri.clap/Contents/MacOS/Bunri",
                "Bunri.clap/Contents/Info.plist",
                "Bunri.clap/Contents/PkgInfo",
                "Bunri.vst3/Contents/MacOS/Bunri",
                "Bunri.vst3/Contents/Info.plist",
                "Bunri.vst3/Contents/PkgInfo",
                "bunri-engine/libbunri_engine.dylib",
            ]
        );
    }

    /// Guards the names of processors, which differ from system to system.
    #[test]
    fn processors_have_their_systems_names() {
        assert!(paths(System::Linux, "aarch64")[1].contains("/aarch64-linux/"));
        assert!(paths(System::Windows, "aarch64")[1].contains("/arm64-win/"));
    }

    /// Guards against a macOS bundle whose property list does not name its library.
    #[test]
    fn property_lists_name_what_is_in_the_bundle() {
        let target = Target {
            system: System::MacOs,
            processor: "aarch64",
        };
        let files = target.files("1.2.3");
        let mut identifiers = Vec::new();
        for (path, content) in &files {
            let Content::Text(text) = content else {
                continue;
            };
            if path.ends_with("PkgInfo") {
                assert_eq!(text.len(), 8, "four bytes of type, four of creator");
                continue;
            }
            let value = |key: &str| {
                let (_, rest) = text.split_once(&format!("<key>{key}</key>")).unwrap();
                let (_, rest) = rest.split_once("<string>").unwrap();
                rest.split_once("</string>").unwrap().0.to_owned()
            };
            let executable = path.replace(
                "Info.plist",
                &format!("MacOS/{}", value("CFBundleExecutable")),
            );
            assert!(
                files.iter().any(|(path, _)| *path == executable),
                "{executable}"
            );
            assert_eq!(value("CFBundlePackageType"), "BNDL");
            assert_eq!(value("CFBundleShortVersionString"), "1.2.3");
            identifiers.push(value("CFBundleIdentifier"));
        }
        assert_eq!(identifiers, ["org.bunri.clap", "org.bunri.vst3"]);
    }
}

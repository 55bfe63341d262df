//! What a shared library or program says to the dynamic linker, and how to change where it looks.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::elf;
use object::read::elf::{Dyn as _, ElfFile64, SectionHeader as _, Sym as _};
use object::{Endianness, ReadCache, ReadRef};

/// What the dynamic linker reads of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Libraries that must be there before it can be loaded (`DT_NEEDED`), in the file's order.
    pub(crate) libraries: Vec<String>,
    /// The newest glibc whose symbols it uses: `(2, 34)` for `GLIBC_2.34`.
    pub(crate) glibc: Option<(u32, u32)>,
    /// The same of libstdc++, `(3, 4, 30)` for `GLIBCXX_3.4.30`.
    pub(crate) libstdcxx: Option<(u32, u32, u32)>,
    /// Where it looks for them (`DT_RUNPATH`, or the older `DT_RPATH`).
    pub(crate) run_path: Option<String>,
}

/// Reads a library or program; of half a gigabyte only the few pages that matter.
///
/// # Errors
/// The file cannot be read or is no 64-bit ELF file.
pub(crate) fn needs_of(path: &Path) -> Result<Needs> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let cache = ReadCache::new(file);
    read(&cache).with_context(|| format!("{} is no readable ELF file", path.display()))
}

fn read<'data, R: ReadRef<'data>>(data: R) -> object::Result<Needs> {
    let elf = ElfFile64::<Endianness, R>::parse(data)?;
    let endian = elf.endian();
    let sections = elf.elf_section_table();
    let mut needs = Needs::default();
    if let Some((entries, strings)) = sections.dynamic(endian, data)? {
        let strings = sections.strings(endian, data, strings)?;
        for entry in entries {
            let text = || {
                let text = entry.string(endian, strings)?;
                Ok::<_, object::Error>(String::from_utf8_lossy(text).into_owned())
            };
            match entry.d_tag(endian) {
                elf::DT_NEEDED => needs.libraries.push(text()?),
                elf::DT_RUNPATH | elf::DT_RPATH => needs.run_path = Some(text()?),
                _ => {}
            }
        }
    }
    if let Some((mut files, strings)) = sections.gnu_verneed(endian, data)? {
        let strings = sections.strings(endian, data, strings)?;
        while let Some((_, mut versions)) = files.next()? {
            while let Some(version) = versions.next()? {
                let name = String::from_utf8_lossy(version.name(endian, strings)?).into_owned();
                if let Some([major, minor, ..]) = numbers_after("GLIBC_", &name) {
                    needs.glibc = needs.glibc.max(Some((major, minor)));
                }
                if let Some([major, minor, patch]) = numbers_after("GLIBCXX_", &name) {
                    needs.libstdcxx = needs.libstdcxx.max(Some((major, minor, patch)));
                }
            }
        }
    }
    Ok(needs)
}

/// `2.3.4` of `GLIBC_2.3.4`; missing parts are 0. `GLIBC_PRIVATE` and foreign names give nothing.
fn numbers_after(prefix: &str, name: &str) -> Option<[u32; 3]> {
    let mut numbers = [0; 3];
    for (number, text) in numbers
        .iter_mut()
        .zip(name.strip_prefix(prefix)?.split('.'))
    {
        *number = text.parse().ok()?;
    }
    Some(numbers)
}

/// Overwrites where a library or program looks for others, in place: what cargo built names a folder
/// of this machine there, and libtorch names folders of a Python installation.
///
/// # Errors
/// There is no path to overwrite, it is shorter than `run_path`, or something else in the file uses
/// the end of the same text.
pub(crate) fn set_run_path(path: &Path, run_path: &str) -> Result<()> {
    let place = {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        run_path_place(&ReadCache::new(file))
            .with_context(|| format!("{}: cannot find its run path", path.display()))?
    };
    let Some(place) = place else {
        bail!(
            "{} looks for libraries nowhere, so no place can be put in",
            path.display()
        );
    };
    if place.shared {
        bail!("{}: its run path is part of another text", path.display());
    }
    let Some(padding) = place.bytes.checked_sub(run_path.len()) else {
        bail!(
            "{}: its run path has {} bytes, `{run_path}` needs {}",
            path.display(),
            place.bytes,
            run_path.len()
        );
    };
    let mut text = run_path.as_bytes().to_vec();
    text.resize(run_path.len() + padding, 0);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.seek(SeekFrom::Start(place.offset))?;
    file.write_all(&text)?;
    Ok(())
}

/// Where in the file a run path lies.
struct Place {
    offset: u64,
    bytes: usize,
    /// Linkers let one text be the end of another.
    shared: bool,
}

fn run_path_place<'data, R: ReadRef<'data>>(data: R) -> object::Result<Option<Place>> {
    let elf = ElfFile64::<Endianness, R>::parse(data)?;
    let endian = elf.endian();
    let sections = elf.elf_section_table();
    let Some((entries, strings_index)) = sections.dynamic(endian, data)? else {
        return Ok(None);
    };
    let strings = sections.strings(endian, data, strings_index)?;
    let is_path = |tag| matches!(tag, elf::DT_RUNPATH | elf::DT_RPATH);
    let Some(entry) = entries.iter().find(|entry| is_path(entry.d_tag(endian))) else {
        return Ok(None);
    };
    let start = entry.d_val(endian);
    let bytes = entry.string(endian, strings)?.len();
    let lost = start + 1..start + bytes as u64;
    let mut used: Vec<u64> = Vec::new();
    for other in entries {
        if matches!(other.d_tag(endian), elf::DT_NEEDED | elf::DT_SONAME) {
            used.push(other.d_val(endian));
        }
    }
    let symbols = sections.symbols(endian, data, elf::SHT_DYNSYM)?;
    used.extend(
        symbols
            .iter()
            .map(|symbol| u64::from(symbol.st_name(endian))),
    );
    let shared = used.iter().any(|offset| lost.contains(offset));
    let section = sections.section(strings_index)?;
    Ok(Some(Place {
        offset: section.sh_offset(endian) + start,
        bytes,
        shared,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// This test program is an ELF file that needs libraries, and every Rust program needs glibc.
    #[test]
    fn a_programs_needs_are_read() {
        let needs = needs_of(&std::env::current_exe().unwrap()).unwrap();
        assert!(
            needs.libraries.iter().any(|name| name == "libc.so.6"),
            "{needs:?}"
        );
        assert!(needs.glibc >= Some((2, 17)), "{needs:?}");
        let none = tempfile::NamedTempFile::new().unwrap();
        assert!(needs_of(none.path()).is_err());
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(numbers_after("GLIBC_", "GLIBC_2.2.5"), Some([2, 2, 5]));
        assert_eq!(numbers_after("GLIBC_", "GLIBC_2.34"), Some([2, 34, 0]));
        assert!(numbers_after("GLIBC_", "GLIBC_2.34") > numbers_after("GLIBC_", "GLIBC_2.4"));
        assert_eq!(numbers_after("GLIBC_", "GLIBC_PRIVATE"), None);
        assert_eq!(numbers_after("GLIBC_", "GLIBCXX_3.4"), None);
    }

    /// Guards what users get: a library that finds its neighbour in the user's folders, and no trace
    /// of the folders that it was built in.
    #[test]
    fn a_run_path_is_replaced_and_the_program_still_starts() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("a.c"), "int answer(void) { return 42; }").unwrap();
        let main = "int answer(void); int main(void) { return answer() - 42; }";
        fs::write(folder.join("main.c"), main).unwrap();
        let cc = |arguments: &[&str]| {
            let status = Command::new("cc")
                .args(arguments)
                .current_dir(folder)
                .status();
            assert!(status.unwrap().success());
        };
        cc(&["-shared", "-o", "liba.so", "a.c"]);
        let built_in = "-Wl,-rpath,/a/folder/of/the/machine/that/built/it";
        cc(&["-o", "main", "main.c", "-L.", "-la", built_in]);
        let program = folder.join("main");
        let starts = || Command::new(&program).output().unwrap().status.success();

        assert!(!starts());
        let before = needs_of(&program).unwrap();
        set_run_path(&program, "$ORIGIN").unwrap();
        let after = needs_of(&program).unwrap();
        assert_eq!(after.run_path.as_deref(), Some("$ORIGIN"));
        assert_eq!(after.libraries, before.libraries);
        assert!(starts());
        let bytes = fs::read(&program).unwrap();
        let trace = b"machine/that/built/it";
        assert!(!bytes.windows(trace.len()).any(|window| window == trace));

        let long = set_run_path(&program, "$ORIGIN/longer").unwrap_err();
        assert!(long.to_string().contains("has 7 bytes"), "{long}");
        let none = set_run_path(&folder.join("liba.so"), "$ORIGIN").unwrap_err();
        assert!(
            none.to_string().contains("looks for libraries nowhere"),
            "{none}"
        );
    }
}

//! `trainer data corpus`: all songs that a training wants, by one file and one command.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::{
    Sources,
    batch::{self, Order},
    collect::Collection,
    output::{self, Format, SongFacts},
};
use crate::folder_lock::FolderLock;
use crate::output::print_line;
use crate::table::Table;

/// Command line of `trainer data corpus`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to render and collect: trainer/configs/corpus.toml
    #[arg(long, value_name = "FILE.toml")]
    pub config: PathBuf,
    /// Folder for the parts, in place of the config's
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// At most this many songs of each part, and of each package that music is collected from
    #[arg(long, value_name = "N")]
    pub songs: Option<u64>,
    /// This share of each part's songs, at least one; all that is collected
    #[arg(long, value_name = "SHARE", conflicts_with = "songs")]
    pub scale: Option<f64>,
    /// Length of each rendered song in seconds, in place of the config's
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
    /// File format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Songs rendered at the same time [default: the number of cores]
    #[arg(long)]
    pub jobs: Option<usize>,
}

/// The config file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    /// Folder for the parts.
    output: PathBuf,
    /// Soundfont; else as `trainer data render` finds one.
    soundfont: Option<PathBuf>,
    part: Vec<Part>,
    #[serde(default)]
    collect: Vec<Collection>,
}

/// A folder of songs of one kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// The folder's name.
    name: String,
    /// Number of songs.
    songs: u64,
    /// Length of each.
    seconds: f64,
    /// Seed of the first; the others follow.
    seed: u64,
    /// Folders of recordings to mix in.
    #[serde(default)]
    recorded: Vec<PathBuf>,
}

impl Corpus {
    fn read(args: &Args) -> anyhow::Result<Self> {
        let shown = args.config.display();
        let text =
            std::fs::read_to_string(&args.config).with_context(|| format!("reading {shown}"))?;
        let mut corpus: Self = toml::from_str(&text).with_context(|| format!("in {shown}"))?;
        corpus.validate().with_context(|| format!("in {shown}"))?;
        if let Some(out) = &args.out {
            corpus.output.clone_from(out);
        }
        for part in &mut corpus.part {
            if let Some(most) = args.songs {
                part.songs = part.songs.min(most);
            }
            if let Some(share) = args.scale {
                ensure!(
                    share > 0.0 && share <= 1.0,
                    "--scale {share}: a share of the songs is above 0 and at most 1"
                );
                part.songs = ((part.songs as f64 * share).round() as u64).max(1);
            }
            part.seconds = args.seconds.unwrap_or(part.seconds);
        }
        for collection in &mut corpus.collect {
            collection.most = args.songs;
        }
        Ok(corpus)
    }

    fn validate(&self) -> anyhow::Result<()> {
        ensure!(!self.part.is_empty(), "no [[part]]: nothing to render");
        let mut names = BTreeSet::new();
        let parts = self.part.iter().map(|part| &part.name);
        for name in parts.chain(self.collect.iter().map(|collection| &collection.name)) {
            ensure!(
                Path::new(name).components().count() == 1 && !name.starts_with('.'),
                "the part {name:?} must have the name of a folder"
            );
            ensure!(names.insert(name), "two parts are called {name:?}");
        }
        let mut spans: Vec<(u64, u64, &str)> = self
            .part
            .iter()
            .map(|part| (part.seed, part.seed.saturating_add(part.songs), &*part.name))
            .collect();
        spans.sort_unstable();
        for pair in spans.windows(2) {
            // The same tune in training and validation would make the figures too good.
            ensure!(
                pair[0].1 <= pair[1].0,
                "the parts {:?} and {:?} share the seed {}: choose others",
                pair[0].2,
                pair[1].2,
                pair[1].0
            );
        }
        Ok(())
    }
}

/// Renders and collects what is missing of the corpus, and says what it is made of.
///
/// # Errors
/// A config that cannot be used, a source that cannot be read, a song that cannot be written; songs
/// finished before that stay, and the same command goes on.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let corpus = Corpus::read(args)?;
    let mut sources = Vec::with_capacity(corpus.part.len());
    for part in &corpus.part {
        let found = Sources::discover(corpus.soundfont.clone(), &part.recorded)
            .with_context(|| format!("the sources of the part {:?}", part.name))?;
        sources.push(found);
    }
    if let Some(sources) = sources.first() {
        sources.say_what_is_missing();
    }
    std::fs::create_dir_all(&corpus.output)
        .with_context(|| format!("creating the folder {}", corpus.output.display()))?;
    let _lock = FolderLock::take(&corpus.output, "another `data corpus`")?;
    let mut orders = Vec::new();
    for (part, sources) in corpus.part.iter().zip(&sources) {
        let out = corpus.output.join(&part.name);
        orders.extend(Order::series(
            &out,
            part.songs,
            part.seed,
            part.seconds,
            sources,
        )?);
    }
    let there = batch::render_missing(&orders, args.format, args.jobs)?;
    let (mut songs, mut there) = (orders.len(), there);
    let mut collections = Vec::new();
    for collection in &corpus.collect {
        let collected = collection.collect(&corpus.output.join(&collection.name))?;
        songs += collected.songs;
        there += collected.there;
        collections.push((collection, collected));
    }
    print_line!(
        "{songs} songs in {} ({there} were there before)\n",
        corpus.output.display()
    );
    print_line!("{}", summary(&corpus, &orders)?);
    for (collection, collected) in &collections {
        print_line!("{}", collection.credits(collected));
        if !collected.missing.is_empty() {
            print_line!(
                "Not installed, and left out of {}: for more music apt install {}\n",
                collection.name,
                Vec::from_iter(collected.missing.iter().map(String::as_str)).join(" ")
            );
        }
    }
    Ok(())
}

/// What the songs on disk are, as they say themselves.
fn summary(corpus: &Corpus, orders: &[Order<'_>]) -> anyhow::Result<String> {
    let mut parts = Table {
        title: "What is there".to_owned(),
        words: 1,
        header: [
            "part",
            "songs",
            "minutes",
            "tempo in bpm",
            "loudness in LUFS",
        ]
        .map(str::to_owned)
        .into(),
        rows: Vec::new(),
    };
    let mut genres: BTreeMap<String, f64> = BTreeMap::new();
    let mut sources: BTreeMap<String, f64> = BTreeMap::new();
    for part in &corpus.part {
        let out = corpus.output.join(&part.name);
        let mut facts: Vec<SongFacts> = Vec::new();
        for order in orders.iter().filter(|order| order.out == out) {
            facts.push(output::facts(&output::song_folder(&out, order.seed))?);
        }
        for song in &facts {
            let minutes = song.seconds / 60.0;
            *genres.entry(song.genre.clone()).or_default() += minutes;
            for source in &song.sources {
                *sources.entry(source.clone()).or_default() += minutes;
            }
        }
        let minutes: f64 = facts.iter().map(|song| song.seconds / 60.0).sum();
        let loudness = facts.iter().filter_map(|song| song.master.loudness_lufs);
        parts.rows.push(vec![
            part.name.clone(),
            facts.len().to_string(),
            format!("{minutes:.1}"),
            range(facts.iter().map(|song| song.tempo_bpm).collect(), 0),
            range(loudness.collect(), 1),
        ]);
    }
    Ok(format!(
        "{parts}\n{}\n{}",
        minutes_of("Genres", genres),
        minutes_of(
            "Sources, and how long the songs are in which they sound",
            sources
        )
    ))
}

/// Lowest, median and highest.
fn range(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    match (values.first(), values.get(values.len() / 2), values.last()) {
        (Some(low), Some(middle), Some(high)) => {
            format!("{low:.digits$} to {high:.digits$}, median {middle:.digits$}")
        }
        _ => "–".to_owned(),
    }
}

fn minutes_of(title: &str, minutes: BTreeMap<String, f64>) -> Table {
    let mut rows: Vec<(String, f64)> = minutes.into_iter().collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Table {
        title: title.to_owned(),
        words: 1,
        header: ["", "minutes"].map(str::to_owned).into(),
        rows: rows
            .into_iter()
            .map(|(name, minutes)| vec![name, format!("{minutes:.1}")])
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> anyhow::Result<Corpus> {
        let corpus: Corpus = toml::from_str(text)?;
        corpus.validate()?;
        Ok(corpus)
    }

    fn part(name: &str, songs: u64, seed: u64) -> String {
        format!("[[part]]\nname = \"{name}\"\nsongs = {songs}\nseconds = 4\nseed = {seed}\n")
    }

    /// A song in training and validation at once would make every figure too good.
    #[test]
    fn parts_that_share_a_seed_are_refused() {
        let two = |seed: u64| {
            let parts = part("train", 10, 100) + &part("valid", 2, seed);
            parsed(&format!("output = \"x\"\n{parts}"))
        };
        assert!(two(110).is_ok());
        assert!(two(98).is_ok());
        for seed in [99, 100, 109] {
            let error = format!("{:#}", two(seed).unwrap_err());
            assert!(error.contains("share the seed"), "{seed}: {error}");
        }
    }

    #[test]
    fn names_that_are_no_folders_of_their_own_are_refused() {
        for name in ["a/b", "..", ".hidden", ""] {
            assert!(parsed(&format!("output = \"x\"\n{}", part(name, 1, 1))).is_err());
        }
        let twice = part("a", 1, 1) + &part("a", 1, 5);
        assert!(parsed(&format!("output = \"x\"\n{twice}")).is_err());
    }

    /// The committed recipe must be one that the command takes, whole and in small.
    #[test]
    fn the_committed_recipe_can_be_scaled() {
        let with = |songs: Option<u64>, scale: Option<f64>| {
            let corpus = Corpus::read(&Args {
                config: concat!(env!("CARGO_MANIFEST_DIR"), "/configs/corpus.toml").into(),
                out: None,
                songs,
                scale,
                seconds: None,
                format: Format::Flac,
                jobs: None,
            })?;
            let parts = corpus.part.into_iter().map(|part| (part.name, part.songs));
            anyhow::Ok(parts.collect::<Vec<_>>())
        };
        let whole = with(None, None).unwrap();
        let names: Vec<&str> = whole.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["synthetic", "recorded", "album-voices", "valid"]);
        for (index, (_, songs)) in whole.iter().enumerate() {
            assert_eq!(with(Some(2), None).unwrap()[index].1, 2);
            let tenth = with(None, Some(0.1)).unwrap()[index].1;
            assert_eq!(tenth, ((*songs as f64 / 10.0).round() as u64).max(1));
        }
        for share in [0.0, -1.0, 1.5, f64::NAN] {
            assert!(with(None, Some(share)).is_err(), "{share}");
        }
    }
}

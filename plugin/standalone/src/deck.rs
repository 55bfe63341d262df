//! Plays a file: decodes it on a thread of its own, and hands it to the audio thread through a ring.
//!
//! ```text
//! window ─ [`Deck`] ─ orders → decoder ─ ring → [`Pickup`] (audio thread)
//!             └──────────── atomics: playing, place, length ──┘
//! ```
//!
//! After a jump the ring holds what was decoded before it. The decoder asks for it to be thrown
//! away, waits until the audio thread has, and only then goes on from the new place.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bunri_stream::files::{FileReader, to_stereo};
use bunri_stream::{Planar, RateConverter};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

/// Decoded ahead, in seconds.
const AHEAD_S: u32 = 1;
/// Decoded at a time.
const BLOCK_FRAMES: usize = 2048;
/// How long the decoder sleeps when the ring is full, or the audio thread has yet to answer.
const PAUSE: Duration = Duration::from_millis(5);

/// The window's end.
#[derive(Debug)]
pub(crate) struct Deck {
    shared: Arc<Shared>,
    orders: Sender<Order>,
    decoder: Option<thread::JoinHandle<()>>,
}

/// The audio thread's end.
pub(crate) struct Pickup {
    shared: Arc<Shared>,
    ring: HeapCons<f32>,
}

#[derive(Debug, Default)]
struct Shared {
    playing: AtomicBool,
    looping: AtomicBool,
    /// Set by the decoder, cleared by the audio thread once the ring is empty.
    flush: AtomicBool,
    /// Whether everything up to the end is in the ring.
    ended: AtomicBool,
    rate_hz: AtomicU32,
    /// Place of the next frame out of the ring, and length of the file, at that rate; 0 if unknown.
    place: AtomicU64,
    length: AtomicU64,
    title: Mutex<Title>,
}

/// What there is to read about the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Title {
    pub(crate) name: String,
    pub(crate) problem: Option<String>,
}

/// Where the file stands.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) title: Title,
    pub(crate) playing: bool,
    pub(crate) looping: bool,
    pub(crate) position_s: f64,
    pub(crate) length_s: f64,
}

enum Order {
    Open(PathBuf),
    Seek(f64),
    Quit,
}

impl Deck {
    /// Starts the decoder, which gives stereo at `rate_hz`.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub(crate) fn new(rate_hz: u32) -> std::io::Result<(Self, Pickup)> {
        let shared = Arc::new(Shared::default());
        shared.rate_hz.store(rate_hz, Ordering::Relaxed);
        let frames = (rate_hz * AHEAD_S) as usize;
        let (producer, ring) = HeapRb::new(2 * frames).split();
        let (orders, received) = unbounded();
        let decoder = Decoder {
            shared: Arc::clone(&shared),
            orders: received,
            ring: producer,
            rate_hz,
        };
        let decoder = thread::Builder::new()
            .name("bunri-decoder".into())
            .spawn(move || decoder.run())?;
        let pickup = Pickup {
            shared: Arc::clone(&shared),
            ring,
        };
        let deck = Self {
            shared,
            orders,
            decoder: Some(decoder),
        };
        Ok((deck, pickup))
    }

    pub(crate) fn open(&self, path: &Path) {
        let _ = self.orders.send(Order::Open(path.to_owned()));
    }

    pub(crate) fn seek(&self, seconds: f64) {
        let _ = self.orders.send(Order::Seek(seconds));
    }

    pub(crate) fn play(&self, playing: bool) {
        self.shared.playing.store(playing, Ordering::Relaxed);
    }

    pub(crate) fn repeat(&self, looping: bool) {
        self.shared.looping.store(looping, Ordering::Relaxed);
    }

    /// Never waits for audio.
    pub(crate) fn place(&self) -> Place {
        let shared = &self.shared;
        let rate_hz = f64::from(shared.rate_hz.load(Ordering::Relaxed).max(1));
        let length = shared.length.load(Ordering::Relaxed);
        let place = shared.place.load(Ordering::Relaxed);
        // A loop goes on counting.
        let place = if length > 0 {
            place % (length + 1)
        } else {
            place
        };
        Place {
            title: shared.title().clone(),
            playing: shared.playing.load(Ordering::Relaxed),
            looping: shared.looping.load(Ordering::Relaxed),
            position_s: place as f64 / rate_hz,
            length_s: length as f64 / rate_hz,
        }
    }
}

impl Drop for Deck {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Quit);
        if let Some(decoder) = self.decoder.take() {
            let _ = decoder.join();
        }
    }
}

impl Shared {
    fn title(&self) -> std::sync::MutexGuard<'_, Title> {
        self.title.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a block from the deck is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picked {
    /// It goes on from the last one.
    On,
    /// It comes from elsewhere in the file, or from another file.
    Jumped,
}

impl Pickup {
    /// Fills a block; silence where nothing plays. Real-time safe.
    pub(crate) fn fill(&mut self, left: &mut [f32], right: &mut [f32]) -> Picked {
        let Self { shared, ring } = self;
        left.fill(0.0);
        right.fill(0.0);
        if shared.flush.load(Ordering::Acquire) {
            ring.clear();
            shared.flush.store(false, Ordering::Release);
            return Picked::Jumped;
        }
        if !shared.playing.load(Ordering::Relaxed) {
            return Picked::On;
        }
        let mut frames = 0;
        for (left, right) in left.iter_mut().zip(right) {
            let mut frame = [0.0; 2];
            if ring.occupied_len() < 2 || ring.pop_slice(&mut frame) < 2 {
                break;
            }
            [*left, *right] = frame;
            frames += 1;
        }
        shared.place.fetch_add(frames, Ordering::Relaxed);
        if ring.is_empty() && shared.ended.load(Ordering::Acquire) {
            shared.playing.store(false, Ordering::Relaxed);
        }
        Picked::On
    }
}

struct Decoder {
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    ring: HeapProd<f32>,
    rate_hz: u32,
}

/// A file that is being read.
struct Source {
    path: PathBuf,
    reader: FileReader,
    converter: Option<RateConverter>,
    /// Converted and not yet in the ring: interleaved, from `sent` on.
    pending: Vec<f32>,
    sent: usize,
    finished: bool,
}

impl Decoder {
    fn run(mut self) {
        let mut source: Option<Source> = None;
        loop {
            let busy = source.as_ref().is_some_and(|source| !source.is_done());
            let wait = if busy {
                Duration::ZERO
            } else {
                Duration::from_millis(200)
            };
            match self.orders.recv_timeout(wait) {
                Ok(Order::Quit) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Order::Open(path)) => {
                    let opened = self.open(&path, 0.0);
                    self.flush(0);
                    source = opened;
                }
                Ok(Order::Seek(seconds)) => {
                    if let Some(path) = source.as_ref().map(|source| source.path.clone()) {
                        let opened = self.open(&path, seconds);
                        self.flush((seconds * f64::from(self.rate_hz)) as u64);
                        source = opened;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(source) = &mut source {
                self.feed(source);
            }
        }
    }

    /// Opens a file and reads on to a place.
    fn open(&mut self, path: &Path, seconds: f64) -> Option<Source> {
        let result = Source::open(path, self.rate_hz, seconds);
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let mut title = self.shared.title();
        title.name = name.unwrap_or_default();
        match result {
            Ok((source, length)) => {
                title.problem = None;
                drop(title);
                self.shared.length.store(length, Ordering::Relaxed);
                Some(source)
            }
            Err(problem) => {
                *title = Title {
                    name: String::new(),
                    problem: Some(problem),
                };
                drop(title);
                self.shared.length.store(0, Ordering::Relaxed);
                None
            }
        }
    }

    /// Has the audio thread throw away what is in the ring. Where nobody plays, nobody answers: then
    /// the ring stays as it is until somebody does.
    fn flush(&mut self, place: u64) {
        self.shared.ended.store(false, Ordering::Release);
        self.shared.flush.store(true, Ordering::Release);
        while self.shared.flush.load(Ordering::Acquire) && self.orders.is_empty() {
            thread::sleep(PAUSE);
        }
        self.shared.place.store(place, Ordering::Relaxed);
    }

    /// Reads on while there is room.
    fn feed(&mut self, source: &mut Source) {
        if source.is_done() {
            if self.shared.looping.load(Ordering::Relaxed) {
                let path = source.path.clone();
                if let Some(again) = self.open(&path, 0.0) {
                    self.shared.ended.store(false, Ordering::Release);
                    *source = again;
                }
            } else {
                self.shared.ended.store(true, Ordering::Release);
            }
            return;
        }
        let pending = source.pending.get(source.sent..).unwrap_or_default();
        // Whole frames only.
        let room = self.ring.vacant_len().min(pending.len()) & !1;
        source.sent += self.ring.push_slice(&pending[..room]);
        if source.sent < source.pending.len() {
            thread::sleep(PAUSE);
        } else if let Err(problem) = source.read() {
            self.shared.title().problem = Some(problem);
            source.finished = true;
        }
    }
}

impl Source {
    /// Also returns the length in frames at `rate_hz`, 0 if unknown.
    fn open(path: &Path, rate_hz: u32, seconds: f64) -> Result<(Self, u64), String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let mut reader = FileReader::open(path).map_err(|error| told(&error))?;
        let from_hz = reader.rate_hz();
        let converter = if from_hz == rate_hz {
            None
        } else {
            let converter = RateConverter::new(from_hz, rate_hz, 2);
            Some(converter.map_err(|error| told(&error))?)
        };
        let length = reader.frames_hint().unwrap_or(0);
        let length = (length as f64 * f64::from(rate_hz) / f64::from(from_hz)) as u64;
        let mut skip = (seconds.max(0.0) * f64::from(from_hz)) as usize;
        let mut finished = false;
        while skip > 0 && !finished {
            let block = reader
                .read(skip.min(16 * BLOCK_FRAMES))
                .map_err(|error| told(&error))?;
            match block {
                Some(block) => skip -= block.frames().min(skip),
                None => finished = true,
            }
        }
        let source = Self {
            path: path.to_owned(),
            reader,
            converter,
            pending: Vec::new(),
            sent: 0,
            finished,
        };
        Ok((source, length))
    }

    fn is_done(&self) -> bool {
        self.finished && self.sent == self.pending.len()
    }

    /// Decodes the next block into `pending`.
    fn read(&mut self) -> Result<(), String> {
        self.pending.clear();
        self.sent = 0;
        let block = self
            .reader
            .read(BLOCK_FRAMES)
            .map_err(|error| error.to_string())?;
        let mut converted = Planar::zeros(2, 0);
        match (block, &mut self.converter) {
            (Some(block), converter) => {
                let channels = block.channel_count();
                let stereo = to_stereo(block).map_err(|_| {
                    format!(
                        "{} has {channels} channels: mono and stereo are played",
                        self.path.display()
                    )
                })?;
                match converter {
                    Some(converter) => converter.push(&stereo, &mut converted),
                    None => converted = stereo,
                }
            }
            (None, converter) => {
                self.finished = true;
                if let Some(converter) = converter {
                    converter.flush(&mut converted);
                }
            }
        }
        let frames = converted.channel(0).iter().zip(converted.channel(1));
        self.pending
            .extend(frames.flat_map(|(&left, &right)| [left, right]));
        Ok(())
    }
}

#[cfg(test)]
mod tests;

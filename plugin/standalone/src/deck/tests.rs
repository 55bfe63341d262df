//! The deck, played by hand.

use bunri_stream::{Encoding, FileWriter};

use super::*;

const RATE_HZ: u32 = 22_050;
const FRAMES: usize = 3 * RATE_HZ as usize;

/// A file whose samples tell their place: exact in 32-bit float.
fn counting_file(folder: &Path) -> PathBuf {
    let path = folder.join("counting.wav");
    let left: Vec<f32> = (1..=FRAMES)
        .map(|frame| frame as f32 / FRAMES as f32)
        .collect();
    let right = left.iter().map(|sample| -sample).collect();
    let audio = Planar::from_channels(vec![left, right]).unwrap();
    let mut writer = FileWriter::create(&path, RATE_HZ, 2, Encoding::Wav32Float).unwrap();
    writer.write(&audio).unwrap();
    writer.finish().unwrap();
    path
}

/// Plays until `enough` says so, or nothing came for long; left samples that are not silence.
fn heard(pickup: &mut Pickup, enough: impl Fn(&[f32]) -> bool) -> Vec<f32> {
    let mut samples = Vec::new();
    let mut idle = 0;
    while !enough(&samples) && idle < 2000 {
        let (mut left, mut right) = ([0.0; 441], [0.0; 441]);
        pickup.fill(&mut left, &mut right);
        let before = samples.len();
        for (&left, &right) in left.iter().zip(&right) {
            assert_eq!(left, -right, "the channels have come apart");
            samples.extend((left != 0.0).then_some(left));
        }
        if samples.len() == before {
            idle += 1;
            thread::sleep(Duration::from_millis(2));
        } else {
            idle = 0;
        }
    }
    samples
}

fn place_of(sample: f32) -> usize {
    (sample * FRAMES as f32).round() as usize - 1
}

/// Guards against lost, doubled or swapped frames between decoder and audio thread.
#[test]
fn a_file_is_played_once_frame_by_frame_and_then_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (deck, mut pickup) = Deck::new(RATE_HZ).unwrap();
    deck.open(&counting_file(folder.path()));
    deck.play(true);
    let samples = heard(&mut pickup, |samples| samples.len() >= FRAMES);
    let places: Vec<usize> = samples.iter().copied().map(place_of).collect();
    assert_eq!(places, (0..FRAMES).collect::<Vec<_>>());
    for _ in 0..500 {
        pickup.fill(&mut [0.0; 64], &mut [0.0; 64]);
        if !deck.place().playing {
            break;
        }
        thread::sleep(Duration::from_millis(2));
    }
    let place = deck.place();
    assert!(!place.playing, "it stops at its end");
    assert_eq!((place.position_s, place.length_s), (3.0, 3.0));
}

/// Guards against old audio after a jump, and a place that is not where it plays.
#[test]
fn after_a_jump_nothing_old_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let (deck, mut pickup) = Deck::new(RATE_HZ).unwrap();
    deck.open(&counting_file(folder.path()));
    deck.play(true);
    heard(&mut pickup, |samples| samples.len() >= 5000);
    deck.seek(2.0);
    // Until the decoder has heard of the jump, the music goes on; then there is one step.
    let jumped = |samples: &[f32]| {
        let last = samples.last().copied().map(place_of);
        last.is_some_and(|place| place >= 2 * RATE_HZ as usize + 1000)
    };
    let samples = heard(&mut pickup, jumped);
    let places: Vec<usize> = samples.iter().copied().map(place_of).collect();
    let steps: Vec<_> = places
        .windows(2)
        .filter(|pair| pair[1] != pair[0] + 1)
        .collect();
    let whole = places.first() == Some(&(2 * RATE_HZ as usize));
    assert!(whole || steps.len() == 1, "{steps:?}");
    assert!(
        steps.iter().all(|pair| pair[1] == 2 * RATE_HZ as usize),
        "{steps:?}"
    );
}

#[test]
fn a_loop_goes_on_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let (deck, mut pickup) = Deck::new(RATE_HZ).unwrap();
    deck.repeat(true);
    deck.open(&counting_file(folder.path()));
    deck.play(true);
    let samples = heard(&mut pickup, |samples| samples.len() >= FRAMES + 2000);
    let places = samples.iter().copied().map(place_of);
    assert!(
        places
            .enumerate()
            .all(|(frame, place)| place == frame % FRAMES)
    );
}

#[test]
fn what_is_no_audio_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, b"not a sound").unwrap();
    let (deck, mut pickup) = Deck::new(RATE_HZ).unwrap();
    deck.open(&path);
    let told = || deck.place().title.problem.is_some();
    for _ in 0..2000 {
        pickup.fill(&mut [0.0; 64], &mut [0.0; 64]);
        if told() {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
    panic!("nobody was told");
}

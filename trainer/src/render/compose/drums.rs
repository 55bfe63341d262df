//! Drum patterns by genre, with variations, fills and a human hand.

use super::{Form, Genre, Hit, Piece, Section, Stem};
use crate::render::dice::Dice;

/// Velocity marks of a pattern, a character per sixteenth: `X` loud, `x` normal, `o` soft.
type Line = (Piece, &'static str);

fn patterns(genre: Genre) -> &'static [&'static [Line]] {
    use Piece::{Clap, HatClosed as Hat, HatOpen as Open, Kick, Perc, Ride, Rim, Shaker, Snare};
    match genre {
        Genre::Pop | Genre::Country => &[
            &[
                (Kick, "X.......X......."),
                (Snare, "....X.......X..."),
                (Hat, "x.o.x.o.x.o.x.o."),
            ],
            &[
                (Kick, "X.....x.X......."),
                (Snare, "....X.......X..."),
                (Hat, "xoxoxoxoxoxoxoxo"),
            ],
            &[
                (Kick, "X..x....x.x....."),
                (Clap, "....X.......X..."),
                (Hat, "..x...x...x...x."),
                (Shaker, "xoxoxoxoxoxoxoxo"),
            ],
            &[
                (Kick, "X.......X......."),
                (Rim, "....x.......x..."),
                (Shaker, "x.o.x.o.x.o.x.o."),
            ],
        ],
        Genre::Rock => &[
            &[
                (Kick, "X.....x.X......."),
                (Snare, "....X.......X..."),
                (Hat, "X.x.X.x.X.x.X.x."),
            ],
            &[
                (Kick, "X.x.....X.x....."),
                (Snare, "....X.......X..."),
                (Ride, "X.x.X.x.X.x.X.x."),
            ],
            &[
                (Kick, "X......xX..x...."),
                (Snare, "....X..o....X..."),
                (Open, "X...X...X...X..."),
            ],
            &[
                (Kick, "X.......x.x....."),
                (Snare, "....X.......X.o."),
                (Hat, "X.x.X.x.X.x.X.x."),
            ],
        ],
        Genre::Metal => &[
            &[
                (Kick, "xxxxxxxxxxxxxxxx"),
                (Snare, "....X.......X..."),
                (Ride, "X...X...X...X..."),
            ],
            &[
                (Kick, "X..xX..xX..xX..x"),
                (Snare, "....X.......X..."),
                (Open, "X...X...X...X..."),
            ],
            &[
                (Kick, "x.x.x.x.x.x.x.x."),
                (Snare, ".x.x.x.x.x.x.x.x"),
                (Ride, "X.x.X.x.X.x.X.x."),
            ],
        ],
        Genre::Funk => &[
            &[
                (Kick, "X.x.......x..x.."),
                (Snare, "....X..o.o..X..o"),
                (Hat, "XoxoXoxoXoxoXoxo"),
            ],
            &[
                (Kick, "X..x..x...x....."),
                (Snare, "....X..o.o.oX..."),
                (Hat, "x.x.x.x.x.x.x.x."),
                (Open, "..............x."),
            ],
            &[
                (Kick, "X......x..x....."),
                (Snare, ".o..X.o...o.X.o."),
                (Hat, "xoxxxoxxxoxxxoxx"),
            ],
        ],
        Genre::HipHop => &[
            &[
                (Kick, "X......x..X....."),
                (Snare, "....X.......X..."),
                (Hat, "x.x.x.x.x.x.x.x."),
            ],
            &[
                (Kick, "X..x...x..x....."),
                (Snare, "....X.......X..o"),
                (Hat, "x.x.x.xxx.x.x.x."),
            ],
            &[
                (Kick, "X.........X..x.."),
                (Clap, "....X.......X..."),
                (Hat, "x.o.x.o.x.o.x.o."),
                (Open, "......x........."),
            ],
        ],
        Genre::House => &[
            &[
                (Kick, "X...X...X...X..."),
                (Clap, "....X.......X..."),
                (Open, "..x...x...x...x."),
            ],
            &[
                (Kick, "X...X...X...X..."),
                (Snare, "....x.......x..."),
                (Hat, "xoxoxoxoxoxoxoxo"),
                (Open, "..x...x...x...x."),
            ],
            &[
                (Kick, "X...X...X...X..x"),
                (Clap, "....X.......X..."),
                (Shaker, "oxoxoxoxoxoxoxox"),
                (Perc, "..x..x....x..x.."),
            ],
        ],
        Genre::Breaks => &[
            &[
                (Kick, "X.x.......x....."),
                (Snare, "....X..o.o..X..o"),
                (Hat, "x.x.x.x.x.x.x.x."),
            ],
            &[
                (Kick, "X.........X....."),
                (Snare, "....X.......X..."),
                (Hat, "xoxoxoxoxoxoxoxo"),
                (Ride, "x...x...x...x..."),
            ],
            &[
                (Kick, "X.x.......xx...."),
                (Snare, "....X..x.x....X."),
                (Hat, "x.x.x.x.x.x.x.x."),
            ],
        ],
        Genre::Ballad => &[
            &[
                (Kick, "X.........x....."),
                (Snare, "........X......."),
                (Hat, "x.o.x.o.x.o.x.o."),
            ],
            &[
                (Kick, "X.......x......."),
                (Rim, "....x.......x..."),
                (Hat, "o...o...o...o..."),
            ],
            &[
                (Kick, "X.....x.X......."),
                (Snare, "....X.......X..."),
                (Ride, "x.o.x.o.x.o.x.o."),
            ],
        ],
        Genre::Jazz => &[
            &[
                (Kick, "o...o...o...o..."),
                (Hat, "....x.......x..."),
                (Ride, "x...x.o.x...x.o."),
            ],
            &[
                (Kick, "x.....o........."),
                (Hat, "....x.......x..."),
                (Ride, "x...X.o.x...X.o."),
                (Snare, "......o.......o."),
            ],
        ],
        Genre::Reggae => &[
            &[
                (Kick, "........X......."),
                (Rim, "........X......."),
                (Hat, "x.o.x.o.x.o.x.o."),
            ],
            &[
                (Kick, "X...X...X...X..."),
                (Rim, "....x...x...x..."),
                (Hat, "..x...x...x...x."),
            ],
        ],
        Genre::Latin => &[
            &[
                (Kick, "X..x....X..x...."),
                (Rim, "X..x..x...x.x..."),
                (Shaker, "xoxoxoxoxoxoxoxo"),
                (Perc, "..x...xx..x...xx"),
            ],
            &[
                (Kick, "X..xX..xX..xX..x"),
                (Snare, "...x..x....x..x."),
                (Hat, "x.x.x.x.x.x.x.x."),
            ],
            &[
                (Kick, "X...x...X...x..."),
                (Perc, "x..x..x.x..x..x."),
                (Shaker, "x.xxx.xxx.xxx.xx"),
                (Rim, "..X.X...X..X..X."),
            ],
        ],
        Genre::Trap => &[
            &[
                (Kick, "X......x..x....."),
                (Clap, "........X......."),
                (Hat, "xoxoxoxoxoxoxxxx"),
            ],
            &[
                (Kick, "X.....x.......x."),
                (Snare, "........X......."),
                (Hat, "x.x.x.xxx.x.xxx."),
                (Open, "..............x."),
            ],
        ],
    }
}

/// All hits of the song, in order of time.
pub(crate) fn drum_part(dice: &mut Dice, form: &Form) -> Vec<Hit> {
    let styles = patterns(form.genre);
    // A few songs borrow another style's patterns: more combinations than genres.
    let borrowed = [Genre::Rock, Genre::Pop, Genre::HipHop, Genre::House];
    let styles = if dice.chance(0.15) {
        patterns(*dice.pick(&borrowed))
    } else {
        styles
    };
    let looseness_s = dice.between(0.0, 0.011);
    let (verse, chorus) = (dice.index(styles.len()), dice.index(styles.len()));
    let crash_odds = dice.between(0.2, 0.9);
    let mut hits = Vec::new();
    for (index, section) in form.sections.iter().enumerate() {
        if !section.has(Stem::Drums) {
            continue;
        }
        let style = styles[if section.kind == "chorus" {
            chorus
        } else {
            verse
        }];
        let rests_next = form
            .sections
            .get(index + 1)
            .is_none_or(|next| !next.has(Stem::Drums));
        let fill_odds = if rests_next { 0.4 } else { 0.75 };
        for bar in 0..section.bars {
            let start = section.start + (bar * form.beats_per_bar) as f64;
            if bar == 0 && dice.chance(crash_odds * section.energy) {
                hits.push((start, Piece::Crash, 0.9));
            }
            let last = bar + 1 == section.bars;
            let small = section.bars > 4 && bar % 4 == 3 && dice.chance(0.4);
            let fill_beats = if last && dice.chance(fill_odds) {
                dice.whole(1, form.beats_per_bar as i32 - 1)
            } else {
                i32::from(small)
            };
            let groove_beats = form.beats_per_bar as f64 - f64::from(fill_beats);
            groove(dice, style, section, start, groove_beats, &mut hits);
            if fill_beats > 0 {
                fill(dice, start + groove_beats, fill_beats, &mut hits);
            }
        }
    }
    let mut hits: Vec<Hit> = hits
        .into_iter()
        .map(|(beat, piece, velocity)| Hit {
            start_s: (form.seconds_at(beat) + f64::from(dice.bell(looseness_s))).max(0.0),
            piece,
            velocity: (velocity * (1.0 + dice.bell(0.09))).clamp(0.05, 1.0),
        })
        .collect();
    hits.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    hits
}

fn groove(
    dice: &mut Dice,
    style: &[Line],
    section: &Section,
    start: f64,
    beats: f64,
    hits: &mut Vec<(f64, Piece, f32)>,
) {
    for (piece, line) in style {
        let sparse = section.energy < 0.35 && matches!(piece, Piece::Snare | Piece::Clap);
        if sparse && dice.chance(0.5) {
            continue;
        }
        for (step, mark) in line.bytes().enumerate() {
            let beat = step as f64 / 4.0;
            if beat >= beats {
                break;
            }
            let velocity = match mark {
                b'X' => 0.95,
                b'x' => 0.72,
                b'o' => 0.38,
                // Ghost notes nobody wrote down.
                _ if *piece == Piece::Snare && dice.chance(0.015) => 0.25,
                _ if *piece == Piece::Kick && step % 2 == 0 && dice.chance(0.02) => 0.6,
                _ => continue,
            };
            if dice.chance(0.015) {
                continue;
            }
            hits.push((
                start + beat,
                *piece,
                velocity * (0.8 + 0.2 * section.energy),
            ));
            let rolls = *piece == Piece::HatClosed && mark == b'x' && dice.chance(0.02);
            if rolls {
                hits.push((start + beat + 0.125, *piece, velocity * 0.6));
            }
        }
    }
}

fn fill(dice: &mut Dice, start: f64, beats: i32, hits: &mut Vec<(f64, Piece, f32)>) {
    let pieces = [Piece::Snare, Piece::TomHigh, Piece::TomMid, Piece::TomLow];
    let only_snare = dice.chance(0.25);
    let density = dice.between(0.55, 1.0);
    let steps = beats * 4;
    for step in 0..steps {
        if step > 0 && !dice.chance(density) {
            continue;
        }
        let place = (step * 4 / steps.max(1)).clamp(0, 3) as usize;
        let piece = if only_snare {
            Piece::Snare
        } else {
            pieces[place]
        };
        let swell = 0.5 + 0.45 * step as f32 / steps as f32;
        hits.push((start + f64::from(step) / 4.0, piece, swell));
        if step % 4 == 0 && dice.chance(0.5) {
            hits.push((start + f64::from(step) / 4.0, Piece::Kick, 0.7));
        }
    }
}

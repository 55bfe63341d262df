//! Formants of sung vowels for four voice types.
//!
//! The values are the widely published averages for a, e, i, o, u (Csound manual, appendix
//! "Formant Values"), levels relative to the first formant.

/// Range and colour of a voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoiceType {
    Soprano,
    Alto,
    Tenor,
    Bass,
}

/// Formants that a tract has.
pub(crate) const FORMANTS: usize = 5;

/// The resonances of one shape of the mouth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Centres in Hz.
    pub(crate) centre_hz: [f32; FORMANTS],
    /// Levels in dB.
    pub(crate) level_db: [f32; FORMANTS],
    /// Widths in Hz.
    pub(crate) width_hz: [f32; FORMANTS],
}

const fn shape(
    centre_hz: [f32; FORMANTS],
    level_db: [f32; FORMANTS],
    width_hz: [f32; FORMANTS],
) -> Shape {
    Shape {
        centre_hz,
        level_db,
        width_hz,
    }
}

const SOPRANO: [Shape; 5] = [
    shape(
        [800., 1150., 2900., 3900., 4950.],
        [0., -6., -32., -20., -50.],
        [80., 90., 120., 130., 140.],
    ),
    shape(
        [350., 2000., 2800., 3600., 4950.],
        [0., -20., -15., -40., -56.],
        [60., 100., 120., 150., 200.],
    ),
    shape(
        [270., 2140., 2950., 3900., 4950.],
        [0., -12., -26., -26., -44.],
        [60., 90., 100., 120., 120.],
    ),
    shape(
        [450., 800., 2830., 3800., 4950.],
        [0., -11., -22., -22., -50.],
        [70., 80., 100., 130., 135.],
    ),
    shape(
        [325., 700., 2700., 3800., 4950.],
        [0., -16., -35., -40., -60.],
        [50., 60., 170., 180., 200.],
    ),
];
const ALTO: [Shape; 5] = [
    shape(
        [800., 1150., 2800., 3500., 4950.],
        [0., -4., -20., -36., -60.],
        [80., 90., 120., 130., 140.],
    ),
    shape(
        [400., 1600., 2700., 3300., 4950.],
        [0., -24., -30., -35., -60.],
        [60., 80., 120., 150., 200.],
    ),
    shape(
        [350., 1700., 2700., 3700., 4950.],
        [0., -20., -30., -36., -60.],
        [50., 100., 120., 150., 200.],
    ),
    shape(
        [450., 800., 2830., 3500., 4950.],
        [0., -9., -16., -28., -55.],
        [70., 80., 100., 130., 135.],
    ),
    shape(
        [325., 700., 2530., 3500., 4950.],
        [0., -12., -30., -40., -64.],
        [50., 60., 170., 180., 200.],
    ),
];
const TENOR: [Shape; 5] = [
    shape(
        [650., 1080., 2650., 2900., 3250.],
        [0., -6., -7., -8., -22.],
        [80., 90., 120., 130., 140.],
    ),
    shape(
        [400., 1700., 2600., 3200., 3580.],
        [0., -14., -12., -14., -20.],
        [70., 80., 100., 120., 120.],
    ),
    shape(
        [290., 1870., 2800., 3250., 3540.],
        [0., -15., -18., -20., -30.],
        [40., 90., 100., 120., 120.],
    ),
    shape(
        [400., 800., 2600., 2800., 3000.],
        [0., -10., -12., -12., -26.],
        [70., 80., 100., 130., 135.],
    ),
    shape(
        [350., 600., 2700., 2900., 3300.],
        [0., -20., -17., -14., -26.],
        [40., 60., 100., 120., 120.],
    ),
];
const BASS: [Shape; 5] = [
    shape(
        [600., 1040., 2250., 2450., 2750.],
        [0., -7., -9., -9., -20.],
        [60., 70., 110., 120., 130.],
    ),
    shape(
        [400., 1620., 2400., 2800., 3100.],
        [0., -12., -9., -12., -18.],
        [40., 80., 100., 120., 120.],
    ),
    shape(
        [250., 1750., 2600., 3050., 3340.],
        [0., -30., -16., -22., -28.],
        [60., 90., 100., 120., 120.],
    ),
    shape(
        [400., 750., 2400., 2600., 2900.],
        [0., -11., -21., -20., -40.],
        [40., 80., 100., 120., 120.],
    ),
    shape(
        [350., 600., 2400., 2675., 2950.],
        [0., -20., -32., -28., -36.],
        [40., 80., 100., 120., 120.],
    ),
];

impl VoiceType {
    /// The four types.
    pub(crate) const ALL: [VoiceType; 4] = [
        VoiceType::Soprano,
        VoiceType::Alto,
        VoiceType::Tenor,
        VoiceType::Bass,
    ];

    /// Name for `song.json`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            VoiceType::Soprano => "soprano",
            VoiceType::Alto => "alto",
            VoiceType::Tenor => "tenor",
            VoiceType::Bass => "bass",
        }
    }

    /// Lowest and highest key of a comfortable tune.
    pub(crate) fn range(self) -> (i32, i32) {
        match self {
            VoiceType::Soprano => (60, 79),
            VoiceType::Alto => (54, 72),
            VoiceType::Tenor => (49, 68),
            VoiceType::Bass => (41, 60),
        }
    }

    /// The shape for a vowel: 0..=4 for a, e, i, o, u.
    pub(crate) fn vowel(self, index: usize) -> Shape {
        let table = match self {
            VoiceType::Soprano => &SOPRANO,
            VoiceType::Alto => &ALTO,
            VoiceType::Tenor => &TENOR,
            VoiceType::Bass => &BASS,
        };
        table[index % 5]
    }
}

/// The mouth closed, the nose open; `place` is 0 for m, 1 for n.
pub(crate) fn nasal(place: f32) -> Shape {
    shape(
        [260., 1_000. + 500. * place, 2_250., 3_200., 4_400.],
        [0., -26., -34., -40., -60.],
        [90., 200., 250., 300., 300.],
    )
}

/// The tongue of an l (`rhotic` false) or an r.
pub(crate) fn liquid(rhotic: bool) -> Shape {
    let third = if rhotic { 1_650. } else { 2_700. };
    let second = if rhotic { 1_150. } else { 1_050. };
    shape(
        [380., second, third, 3_400., 4_500.],
        [0., -14., -22., -30., -50.],
        [70., 100., 140., 200., 200.],
    )
}

//! Filters: a state-variable filter and a formant resonator.

use super::RATE;

/// Topology-preserving state-variable filter (Zavalishin), stable under modulation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Svf {
    g: f32,
    k: f32,
    a: f32,
    low: f32,
    band: f32,
}

/// The three outputs of an [`Svf`].
pub(crate) struct Bands {
    /// Below the cutoff.
    pub(crate) low: f32,
    /// Around it, with gain 1 at the cutoff.
    pub(crate) band: f32,
    /// Above it.
    pub(crate) high: f32,
}

impl Svf {
    /// A filter at rest.
    pub(crate) fn new(cutoff_hz: f32, q: f32) -> Self {
        let mut filter = Self::default();
        filter.tune(cutoff_hz, q);
        filter
    }

    /// Moves the cutoff and quality, keeping the state.
    pub(crate) fn tune(&mut self, cutoff_hz: f32, q: f32) {
        let cutoff = cutoff_hz.clamp(15.0, RATE * 0.45);
        self.g = (std::f32::consts::PI * cutoff / RATE).tan();
        self.k = 1.0 / q.max(0.3);
        self.a = 1.0 / (1.0 + self.g * (self.g + self.k));
    }

    /// One sample.
    pub(crate) fn run(&mut self, input: f32) -> Bands {
        let high = (input - self.low * 1.0 - (self.g + self.k) * self.band) * self.a;
        let band = self.g * high + self.band;
        self.band = self.g * high + band;
        let low = self.g * band + self.low;
        self.low = self.g * band + low;
        Bands {
            low,
            band: band * self.k,
            high,
        }
    }
}

/// Two-pole resonator with gain 1 at its centre: one formant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Formant {
    a1: f32,
    a2: f32,
    b0: f32,
    y1: f32,
    y2: f32,
    x1: f32,
    x2: f32,
}

impl Formant {
    /// Moves the formant, keeping the state.
    pub(crate) fn tune(&mut self, centre_hz: f32, bandwidth_hz: f32) {
        let centre = centre_hz.clamp(60.0, RATE * 0.45);
        let radius = (-std::f32::consts::PI * bandwidth_hz / RATE).exp();
        self.a1 = 2.0 * radius * (std::f32::consts::TAU * centre / RATE).cos();
        self.a2 = -radius * radius;
        self.b0 = (1.0 - radius * radius) * 0.5;
    }

    /// Forgets what rings, keeping the tuning.
    pub(crate) fn rest(&mut self) {
        (self.x1, self.x2, self.y1, self.y2) = (0.0, 0.0, 0.0, 0.0);
    }

    /// One sample; zeros at 0 Hz and at half the rate keep the skirts apart.
    pub(crate) fn run(&mut self, input: f32) -> f32 {
        let output = self.b0 * (input - self.x2) + self.a1 * self.y1 + self.a2 * self.y2;
        self.x2 = self.x1;
        self.x1 = input;
        self.y2 = self.y1;
        self.y1 = output;
        output
    }
}

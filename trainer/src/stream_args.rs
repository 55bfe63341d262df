//! How a command streams its model, as its users say it.

use bunri_model::Precision;
use bunri_stream::{DEFAULT_OVERLAP, Mode};

/// Options of every command that streams a model.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct StreamArgs {
    /// How much of each chunk overlaps the next, from 0 to below 1: more is slower and smoother
    /// [default: 0.75].
    #[arg(long, value_name = "FRACTION", conflicts_with = "mode")]
    overlap: Option<f64>,
    /// As the plugin does it: live (causal models only), or studio-SECONDS with that latency,
    /// e.g. studio-0.5.
    #[arg(long)]
    mode: Option<Mode>,
    /// Arithmetic: f32, or bf16 (f16 on GPUs), which is faster where the machine has it, and further
    /// from the reference: how far is said.
    #[arg(long, default_value_t = Precision::F32)]
    pub precision: Precision,
}

impl StreamArgs {
    /// The mode that was chosen, or the default.
    #[must_use]
    pub fn mode(self) -> Mode {
        let overlap = self.overlap.unwrap_or(DEFAULT_OVERLAP);
        self.mode.unwrap_or(Mode::Overlap(overlap))
    }
}

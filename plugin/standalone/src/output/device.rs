//! JACK and ALSA, through cpal.

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, SampleFormat, SizedSample, StreamConfig};

use super::{Output, Running, Told};
use crate::control::Player;

/// Frames that are played at a time, so that nothing is allocated while playing.
const BLOCK_FRAMES: usize = 1024;

/// The host's default device, at its own rate.
pub(super) fn output(host: cpal::HostId) -> Result<Output, String> {
    let name = host.name();
    let told = |error: &dyn std::fmt::Display| format!("{name}: {error}");
    let host = cpal::host_from_id(host).map_err(|error| told(&error))?;
    let device = host
        .default_output_device()
        .ok_or_else(|| format!("{name} has no output"))?;
    let supported = device
        .default_output_config()
        .map_err(|error| told(&error))?;
    let format = supported.sample_format();
    let config: StreamConfig = supported.into();
    let state = Told::default();
    state.set(name, None);
    Ok(Output {
        rate_hz: config.sample_rate,
        told: state,
        start: Box::new(move |player, told| match format {
            SampleFormat::F32 => play::<f32>(&device, config, player, told),
            SampleFormat::I32 => play::<i32>(&device, config, player, told),
            SampleFormat::I16 => play::<i16>(&device, config, player, told),
            other => Err(format!(
                "{name} wants samples as {other}: F32, I32 and I16 are played"
            )),
        }),
    })
}

fn play<T: SizedSample + FromSample<f32>>(
    device: &cpal::Device,
    config: StreamConfig,
    mut player: Player,
    told: Told,
) -> Result<Running, String> {
    let channels = usize::from(config.channels).max(1);
    let (mut left, mut right) = (vec![0.0; BLOCK_FRAMES], vec![0.0; BLOCK_FRAMES]);
    let fill = move |samples: &mut [T], _: &_| {
        for block in samples.chunks_mut(BLOCK_FRAMES * channels) {
            let frames = block.len() / channels;
            player.play(&mut left[..frames], &mut right[..frames]);
            let stereo = left.iter().zip(&right);
            for (frame, (&left, &right)) in block.chunks_mut(channels).zip(stereo) {
                // Mono devices get both, further channels nothing.
                let mono = [0.5 * (left + right)];
                let stereo = [left, right];
                let sources = if channels == 1 {
                    &mono[..]
                } else {
                    &stereo[..]
                };
                let sources = sources.iter().copied().chain(std::iter::repeat(0.0));
                for (sample, source) in frame.iter_mut().zip(sources) {
                    *sample = T::from_sample(source);
                }
            }
        }
    };
    let failed = move |error| {
        told.set(
            "no audio device",
            Some(format!("the audio device failed: {error}")),
        )
    };
    let stream = device
        .build_output_stream(config, fill, failed, None)
        .map_err(|error| error.to_string())?;
    stream.play().map_err(|error| error.to_string())?;
    Ok(Box::new(stream))
}

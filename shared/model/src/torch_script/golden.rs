//! Open-Unmix, exported by `examples/export_open_unmix.py`, against its own package; files by
//! `tests/golden/make_open_unmix.py`. And what is said of exports that cannot work.
//!
//! The tolerance: the same operators of the same libtorch, fused in another way by TorchScript's
//! executor. The output's RMS is 0.09.

use std::path::Path;
use std::sync::Arc;

use bunri_stream::conformance::assert_stem_model;
use bunri_stream::{Mode, Planar, StemModel};
use tch::{Device, Tensor};

use crate::checkpoint::float_values;
use crate::golden::{Golden, compare, path};
use crate::network::center_trim;
use crate::{LoadedModel, Separator, SharedWeights};

const TOLERANCE: f64 = 1e-5;

fn open_unmix() -> LoadedModel {
    LoadedModel::load(&path("open-unmix.toml"), Device::Cpu).unwrap()
}

fn golden() -> (Tensor, Tensor) {
    let mut tensors = Golden::load("open-unmix.output.safetensors").tensors;
    let [mix, output] = ["mix", "output"].map(|name| tensors.remove(name).unwrap());
    (mix, output)
}

#[test]
fn a_batch_equals_the_package() {
    let model = open_unmix();
    let (mix, reference) = golden();
    let output = tch::no_grad(|| model.network.forward(&mix));
    let kept = model.network.window().output_frames as i64;
    let error = compare("Open-Unmix", &output, &center_trim(&reference, kept));
    assert!(error < TOLERANCE, "{error}");
}

/// Guards the way of a chunk through the stream: channel order, and the frames that are not used.
#[test]
fn a_streamed_chunk_equals_the_package() {
    let weights = Arc::new(SharedWeights::new(open_unmix().network));
    let mut separator = Separator::new(weights, Mode::Overlap(0.5)).unwrap();
    let spec = separator.spec().clone();
    let (mix, reference) = golden();
    let samples = float_values(&mix.get(0));
    let mut chunk = Planar::zeros(spec.channels, spec.chunk_frames);
    for (to, from) in chunk
        .channels_mut()
        .zip(samples.chunks_exact(spec.chunk_frames))
    {
        to.copy_from_slice(from);
    }
    let mut stems = vec![chunk.clone(); spec.stems.len()];
    separator.separate(&chunk, &mut stems).unwrap();
    let used = 256..spec.chunk_frames - 256;
    for (index, stem) in stems.iter().enumerate() {
        for (channel, ours) in stem.channels().enumerate() {
            let truth = float_values(&reference.get(0).get(index as i64).get(channel as i64));
            for frame in used.clone() {
                let error = f64::from((ours[frame] - truth[frame]).abs());
                assert!(
                    error < TOLERANCE,
                    "{} {channel} {frame}: {error}",
                    spec.stems[index]
                );
            }
        }
    }
}

#[test]
fn it_keeps_the_stem_model_contract() {
    let weights = Arc::new(SharedWeights::new(open_unmix().network));
    assert_stem_model(&mut Separator::new(weights, Mode::Overlap(0.75)).unwrap());
}

#[test]
fn whoever_loads_code_is_warned() {
    assert!(open_unmix().warning.unwrap().contains("code"));
}

/// The golden description with one line replaced, beside a module of `module`'s bytes.
fn refusal(from: &str, to: &str, module: Option<&[u8]>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(path("open-unmix.toml")).unwrap();
    assert!(text.contains(from), "{from} is not in the description");
    let description = folder.path().join("model.toml");
    std::fs::write(&description, text.replace(from, to)).unwrap();
    if let Some(bytes) = module {
        std::fs::write(folder.path().join("open-unmix.pt"), bytes).unwrap();
    }
    load_error(&description)
}

fn load_error(description: &Path) -> String {
    let error = LoadedModel::load(description, Device::Cpu).unwrap_err();
    println!("{error}");
    error.to_string()
}

#[test]
fn descriptions_that_cannot_be_are_refused_by_field() {
    for (from, to, word) in [
        ("bunri-torchscript-1", "bunri-torchscript-2", "format"),
        ("channels = 2", "channels = 0", "channels"),
        (
            "chunk_frames = 4096",
            "chunk_frames = 512",
            "lookahead_frames",
        ),
        ("chunk_frames = 4096", "chunk_frames = -1", "chunk_frames"),
        ("rate_hz", "rate", "rate"),
        ("open-unmix.pt", "../open-unmix.pt", "beside"),
        ("\"vocals\"", "\"drums\"", "drums"),
    ] {
        let error = refusal(from, to, None);
        assert!(error.contains(word), "{to}: {error}");
    }
    assert!(load_error(Path::new("nosuch.toml")).contains("nosuch.toml"));
}

#[test]
fn modules_that_cannot_work_are_refused() {
    let module = std::fs::read(path("open-unmix.pt")).unwrap();
    let missing = refusal("MIT", "MIT", None);
    assert!(missing.contains("open-unmix.pt"), "{missing}");
    let foreign = refusal("MIT", "MIT", Some(b"no module"));
    assert!(foreign.contains("open-unmix.pt"), "{foreign}");
    let cut = refusal("MIT", "MIT", Some(&module[..module.len() / 2]));
    assert!(cut.contains("open-unmix.pt"), "{cut}");
    let other = refusal("\"vocals\"", "\"vocals\", \"bass\"", Some(&module));
    assert!(other.contains("[1, 2, 2, 4096]"), "{other}");
    let failing = refusal("channels = 2", "channels = 3", Some(&module));
    assert!(failing.contains("silence"), "{failing}");
}

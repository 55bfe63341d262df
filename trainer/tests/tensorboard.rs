//! Event files, read back by TensorBoard itself.
#![allow(clippy::unwrap_used)] // Helpers of tests, as tests themselves.

mod python;

use std::process::Command;

use bunri_stream::Planar;
use bunri_trainer::tensorboard::Board;
use python::python_with;
use serde_json::{Value, json};

/// Everything that TensorBoard finds in a folder, as JSON.
const READ: &str = r#"
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
board = EventAccumulator(sys.argv[1], size_guidance=dict(scalars=0, audio=0, images=0, tensors=0))
board.Reload()
tags = board.Tags()
print(json.dumps(dict(
    scalars={tag: [[e.step, e.value] for e in board.Scalars(tag)] for tag in tags["scalars"]},
    audio={tag: [[e.step, e.sample_rate, e.length_frames, e.content_type,
                  e.encoded_audio_string[:4].decode()] for e in board.Audio(tag)]
           for tag in tags["audio"]},
    images={tag: [[e.step, e.width, e.height, e.encoded_image_string[1:4].decode()]
                  for e in board.Images(tag)] for tag in tags["images"]},
    words={tag: [e.tensor_proto.string_val[0].decode() for e in board.Tensors(tag)]
           for tag in tags["tensors"]},
)))
"#;

/// Guards every field that TensorBoard looks at, and a resumed run's steps that were taken twice.
#[test]
fn tensorboard_finds_what_was_logged() {
    let Some(python) = python_with("tensorboard") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let steps = |step: u64, loss: f64| json!({"event": "steps", "step": step, "loss": loss, "losses": {"l1": 0.5}});
    let mut board = Board::open(folder.path(), 0).unwrap();
    board
        .line(&json!({"event": "start", "step": 0, "config": {"seed": 3}}))
        .unwrap();
    for (step, loss) in [(20, 1.0), (40, 0.75), (60, 9.0)] {
        board.line(&steps(step, loss)).unwrap();
    }
    let tone = (0..8000)
        .map(|n| (n as f32 * 0.1).sin())
        .collect::<Vec<f32>>();
    let stem = Planar::from_channels(vec![tone.clone(), tone]).unwrap();
    board.stem("bass", 40, &stem, 8000).unwrap();
    drop(board);
    // Killed after step 60, its last state being that of step 40.
    let mut board = Board::open(folder.path(), 40).unwrap();
    board.line(&steps(60, 0.5)).unwrap();
    let notice = json!({"event": "notice", "step": 61, "text": "back at step 40"});
    board.line(&notice).unwrap();
    drop(board);

    let output = Command::new(python)
        .env_remove("LD_LIBRARY_PATH")
        .args(["-c", READ])
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let losses = json!([[20, 1.0], [40, 0.75], [60, 0.5]]);
    assert_eq!(found["scalars"]["steps/loss"], losses, "{found}");
    assert_eq!(
        found["scalars"]["steps/losses/l1"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    // TensorBoard's server, unlike its Python, shows nothing of a tag's second kind.
    assert!(found["images"].get("stems/bass").is_none());
    let audio = json!([[40, 8000.0, 8000, "audio/wav", "RIFF"]]);
    assert_eq!(found["audio"]["stems/bass"], audio);
    assert_eq!(
        found["images"]["spectrograms/bass"],
        json!([[40, 16, 160, "PNG"]])
    );
    assert_eq!(found["words"]["notice/text"], json!(["back at step 40"]));
    let config = found["words"]["start/config"][0].as_str().unwrap();
    assert!(config.contains("\"seed\": 3"), "{config}");
}

//! Bunri's own model files, through libtorch as `bounce` and the plugin load them.
#![no_main]

use bunri_model::Checkpoint;
use libfuzzer_sys::fuzz_target;
use tch::Device;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(checkpoint) = Checkpoint::from_bytes(bytes, Device::Cpu) {
        let _ = (checkpoint.network.window(), checkpoint.network.signature());
    }
});

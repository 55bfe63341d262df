//! What a user is told about a device, and whether a model fits on it.
#![allow(unsafe_code)] // Two questions to the CUDA driver; the rest goes through safe functions.

use bunri_stream::DeviceInfo;
use cudarc::driver::result;
use cudarc::driver::{CudaContext, sys};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
use tch::Device;

use crate::device::{cuda_count, device_name};

/// All devices that [`DeviceChoice`](crate::DeviceChoice) accepts on this machine, the CPU first.
#[must_use]
pub fn devices() -> Vec<DeviceInfo> {
    let cuda = (0..cuda_count()).map(cuda_info);
    std::iter::once(cpu_info()).chain(cuda).collect()
}

/// Bytes that are free on `device` now, where it tells.
///
/// On a GPU this makes the CUDA context that a model would make anyway.
#[must_use]
pub fn free_bytes(device: Device) -> Option<u64> {
    match device {
        Device::Cpu => {
            let kind = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
            let system = System::new_with_specifics(kind).ok()?;
            // In a container its limit counts, not the machine's memory.
            let limit = system.cgroup_limits().map(|limits| limits.free_memory);
            let free = system.available_memory();
            Some(limit.map_or(free, |limit| limit.min(free)))
        }
        Device::Cuda(index) if has_driver() => {
            let (free, _) = CudaContext::new(index).ok()?.mem_get_info().ok()?;
            Some(free as u64)
        }
        _ => None,
    }
}

/// What is left free beside the weights: for the work in progress of one stream, and for others.
const HEADROOM: f64 = 1.25;

/// Whether weights of so many bytes fit on `device` now.
///
/// # Errors
/// A sentence for the user with both numbers.
pub fn check_room(device: Device, weights_bytes: u64) -> Result<(), String> {
    let needed = (weights_bytes as f64 * HEADROOM) as u64;
    match free_bytes(device) {
        Some(free) if free < needed => Err(format!(
            "the model needs {} MB on {}, {} MB are free: close other programs, or choose a smaller \
             model or another device",
            needed.div_ceil(1_000_000),
            device_name(device),
            free / 1_000_000,
        )),
        // Enough, or nobody knows: loading will tell.
        _ => Ok(()),
    }
}

fn cpu_info() -> DeviceInfo {
    let kind = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kind).ok();
    let brand = |system: &System| Some(system.cpus().first()?.brand().trim().to_owned());
    let brand = system.as_ref().and_then(brand);
    let memory = system.as_ref().map(System::total_memory);
    DeviceInfo {
        name: device_name(Device::Cpu),
        description: brand
            .filter(|brand| !brand.is_empty())
            .unwrap_or("CPU".into()),
        memory_bytes: memory.filter(|&bytes| bytes > 0),
    }
}

fn cuda_info(index: usize) -> DeviceInfo {
    let asked = ask_driver(index);
    let (description, memory_bytes) = asked.unwrap_or_else(|| ("CUDA device".to_owned(), None));
    DeviceInfo {
        name: device_name(Device::Cuda(index)),
        description,
        memory_bytes,
    }
}

/// Name and memory of a GPU, without making a context on it: that takes memory of its own.
fn ask_driver(index: usize) -> Option<(String, Option<u64>)> {
    if !has_driver() {
        return None;
    }
    result::init().ok()?;
    let device = result::device::get(i32::try_from(index).ok()?).ok()?;
    let name = result::device::get_name(device).ok()?;
    // SAFETY: `device` was just handed out by the driver.
    let total = unsafe { result::device::total_mem(device) };
    Some((name, total.ok().map(|bytes| bytes as u64)))
}

/// Asking a driver that is not there would end in a panic.
fn has_driver() -> bool {
    // SAFETY: opens the driver's library, whose initialisers are trusted like libtorch's.
    unsafe { sys::is_culib_present() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the chooser: the CPU is always there, by the name that opens it, with its memory.
    #[test]
    fn the_cpu_is_listed_first_with_its_memory() {
        let devices = devices();
        println!("{devices:?}");
        assert_eq!(devices[0].name, "cpu");
        assert!(!devices[0].description.is_empty());
        let total = devices[0].memory_bytes.unwrap();
        let free = free_bytes(Device::Cpu).unwrap();
        assert!(0 < free && free <= total, "{free} of {total} bytes");
    }

    /// Guards against the machine that swaps to death in place of a message.
    #[test]
    fn what_does_not_fit_is_refused_with_both_numbers() {
        check_room(Device::Cpu, 1_000_000).unwrap();
        let reason = check_room(Device::Cpu, 8 << 50).unwrap_err();
        println!("{reason}");
        assert!(
            reason.contains("cpu") && reason.contains("11258999069 MB"),
            "{reason}"
        );
    }
}

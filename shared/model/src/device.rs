//! Where a model runs, by the names that users type.

use std::str::FromStr;

use tch::{Cuda, Device};

/// A device as the user names it: `auto`, `cpu`, `cuda` or `cuda:1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device if there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of this index.
    Cuda(usize),
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceError {
    /// Not a device name.
    #[error("{0:?} is no device: use auto, cpu, cuda or cuda:N")]
    Name(String),
    /// No such CUDA device here.
    #[error(
        "cuda:{index} is not there: this machine shows {count} CUDA devices (a driver, or the CUDA build of libtorch, may be missing); use cpu"
    )]
    NoCuda {
        /// What was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let index = name
                    .strip_prefix("cuda:")
                    .and_then(|index| index.parse().ok());
                index
                    .map(Self::Cuda)
                    .ok_or_else(|| DeviceError::Name(name.into()))
            }
        }
    }
}

impl DeviceChoice {
    /// The device itself.
    ///
    /// # Errors
    /// [`DeviceError::NoCuda`] if the chosen CUDA device does not exist.
    pub fn resolve(self) -> Result<Device, DeviceError> {
        let count = cuda_count();
        match self {
            Self::Auto if count > 0 => Ok(Device::Cuda(0)),
            Self::Auto | Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(index) if index < count => Ok(Device::Cuda(index)),
            Self::Cuda(index) => Err(DeviceError::NoCuda { index, count }),
        }
    }
}

/// The name of a device, as [`DeviceChoice`] accepts it.
#[must_use]
pub fn device_name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// CUDA devices that libtorch can use.
pub(crate) fn cuda_count() -> usize {
    if Cuda::is_available() {
        Cuda::device_count().max(0) as usize
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_nonsense_is_refused() {
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert!("gpu".parse::<DeviceChoice>().is_err());
        assert!("cuda:-1".parse::<DeviceChoice>().is_err());
    }

    #[test]
    fn a_missing_gpu_is_an_error_not_a_crash() {
        assert!(matches!(
            DeviceChoice::Cuda(99).resolve(),
            Err(DeviceError::NoCuda { index: 99, .. })
        ));
    }
}

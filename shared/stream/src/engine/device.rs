//! A device as a user chooses it, and as a line of text through the C interface.

/// A place where models can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What [`OpenOptions::device`](super::OpenOptions) takes: `cpu`, `cuda:0`, ...
    pub name: String,
    /// The maker's name for it.
    pub description: String,
    /// All of its memory, where that is known.
    pub memory_bytes: Option<u64>,
}

impl DeviceInfo {
    /// Name, description and bytes (empty where unknown), a tab between each two.
    #[must_use]
    pub fn to_line(&self) -> String {
        let clean = |text: &str| text.replace(['\t', '\n', '\r'], " ");
        let memory = self.memory_bytes.map(|bytes| bytes.to_string());
        let (name, description) = (clean(&self.name), clean(&self.description));
        format!("{name}\t{description}\t{}", memory.unwrap_or_default())
    }

    /// Reads what [`to_line`](Self::to_line) wrote; of other lines, what there is.
    #[must_use]
    pub fn from_line(line: &str) -> Self {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_default();
        Self {
            name: field().to_owned(),
            description: field().to_owned(),
            memory_bytes: field().parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_survive_their_line() {
        for memory_bytes in [None, Some(0), Some(u64::MAX)] {
            let device = DeviceInfo {
                name: "cuda:1".into(),
                description: "NVIDIA H200".into(),
                memory_bytes,
            };
            assert_eq!(DeviceInfo::from_line(&device.to_line()), device);
        }
        assert_eq!(DeviceInfo::from_line("cpu").name, "cpu");
    }
}

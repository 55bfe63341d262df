//! Files against their pinned SHA-256.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// SHA-256 of a file, lower-case hexadecimal.
///
/// # Errors
/// Whatever reading the file gives.
pub(crate) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0_u8; 1 << 20];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        hasher.update(&block[..read]);
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against a digest that forgets the tail after the last whole block.
    #[test]
    fn digest_covers_every_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, b"abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of(&path).unwrap(), expected);
        std::fs::write(&path, vec![0_u8; (1 << 20) + 1]).unwrap();
        let one_more = sha256_of(&path).unwrap();
        std::fs::write(&path, vec![0_u8; 1 << 20]).unwrap();
        assert_ne!(sha256_of(&path).unwrap(), one_more);
    }
}

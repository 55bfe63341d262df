//! Bytes of a pickle, one argument after the other.

use crate::error::ImportError;

/// Where the machine reads.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How far it has come, in bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn damaged(&self, what: &'static str) -> ImportError {
        ImportError::Pickle { what, at: self.at }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], ImportError> {
        let end = self.at.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.damaged("it ends too early"))?;
        self.at += count;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ImportError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, ImportError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, ImportError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// UTF-8 after its length. Python may write halves of surrogate pairs, which no model needs.
    pub(super) fn text(&mut self) -> Result<&'a str, ImportError> {
        let bytes = self.u32()? as usize;
        let text = self.take(bytes)?;
        std::str::from_utf8(text).map_err(|_| self.damaged("a text is not UTF-8"))
    }

    /// Up to the end of the line.
    pub(super) fn line(&mut self) -> Result<&'a str, ImportError> {
        /// Longer than any module's name.
        const MAX_LINE: usize = 1000;
        let rest = &self.bytes[self.at..];
        let end = rest.iter().take(MAX_LINE).position(|&byte| byte == b'\n');
        let end = end.ok_or_else(|| self.damaged("a name has no end"))?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| self.damaged("a name is not UTF-8"))
    }
}

//! TFRecord framing: what TensorBoard reads its events from.
//!
//! `length (u64) | masked CRC-32C of the length | data | masked CRC-32C of the data`, little-endian.
//! Source: TensorFlow, `core/lib/io/record_writer.h` and `core/lib/hash/crc32c.h`.

use std::io::{Result, Write};

/// Writes one record.
pub(super) fn write(file: &mut impl Write, data: &[u8]) -> Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc(data).to_le_bytes());
    // At once: a reader that looks meanwhile finds whole records.
    file.write_all(&record)
}

/// A checksum of data that may hold checksums.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the frame; the checksums are those that PyPI tensorboard 2.21 writes for this record
    /// (`RecordWriter(file).write(b"abc")`).
    #[test]
    fn the_frame_is_tensorboard_s() {
        let mut file = Vec::new();
        write(&mut file, b"abc").unwrap();
        let expected = [
            0x3, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0xb0, 0x99, 0x49, 0xe, 0x61, 0x62, 0x63, 0x6e,
            0x57, 0xf1, 0x21,
        ];
        assert_eq!(file, expected);
    }
}

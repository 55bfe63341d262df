//! Apple Lossless packets.

use alac_encoder::{AlacEncoder, DEFAULT_FRAMES_PER_PACKET, FormatDescription};

/// The highest rate of Apple's encoder.
pub(super) const MAX_RATE_HZ: u32 = 384_000;
/// Frames of every packet but the last.
pub(super) const PACKET_FRAMES: u32 = DEFAULT_FRAMES_PER_PACKET;
/// The only sample format that the encoder takes.
pub(super) const BITS: u16 = 16;

/// Encodes 16-bit samples, one or two channels.
pub(super) struct AlacPackets {
    encoder: AlacEncoder,
    input: FormatDescription,
    packet_bytes: usize,
    /// Samples of the packet that is filling up, channels taking turns, little-endian.
    pending: Vec<u8>,
    /// Where a packet is made.
    packet: Vec<u8>,
}

impl AlacPackets {
    pub(super) fn new(rate_hz: u32, channels: usize) -> Self {
        let (rate, channels) = (f64::from(rate_hz), channels as u32);
        let output = FormatDescription::alac(rate, PACKET_FRAMES, channels);
        let packet_bytes = (PACKET_FRAMES * channels) as usize * usize::from(BITS / 8);
        Self {
            encoder: AlacEncoder::new(&output),
            input: FormatDescription::pcm::<i16>(rate, channels),
            packet_bytes,
            pending: Vec::with_capacity(2 * packet_bytes),
            // The encoder's bit writer stores whole words, the last one beyond the packet's end.
            packet: vec![0; output.max_packet_size() + 64],
        }
    }

    /// The decoder's parameters (`ALACSpecificConfig`).
    pub(super) fn config(&self) -> Vec<u8> {
        self.encoder.magic_cookie()
    }

    /// Takes samples, channels taking turns, and gives the packets that are full.
    pub(super) fn encode(&mut self, interleaved: &[i32], packets: &mut Vec<Vec<u8>>) {
        for &sample in interleaved {
            self.pending.extend((sample as i16).to_le_bytes());
            if self.pending.len() == self.packet_bytes {
                self.finish(packets);
            }
        }
    }

    /// Gives the last, shorter packet.
    pub(super) fn finish(&mut self, packets: &mut Vec<Vec<u8>>) {
        if !self.pending.is_empty() {
            let encoder = &mut self.encoder;
            let bytes = encoder.encode(&self.input, &self.pending, &mut self.packet);
            packets.push(self.packet[..bytes].to_vec());
            self.pending.clear();
        }
    }
}

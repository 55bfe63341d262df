//! AAC packets from the user's `ffmpeg`, which gives them in ADTS frames.

use std::io::{self, BufReader, Read};
use std::process::ChildStdout;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use super::outside_encoder::OutsideEncoder;

/// The rates of AAC, by their index in a decoder's parameters (ISO/IEC 14496-3, 1.6.3.4).
pub(super) const RATES_HZ: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
/// Frames of a packet.
pub(super) const PACKET_FRAMES: u32 = 1024;
/// Frames that FFmpeg's own encoder puts in front.
pub(super) const DELAY_FRAMES: u32 = 1024;

/// Encodes floats.
pub(super) struct AacPackets {
    encoder: OutsideEncoder,
    packets: Receiver<Vec<u8>>,
    reader: Option<JoinHandle<io::Result<()>>>,
    config: [u8; 2],
}

impl AacPackets {
    pub(super) fn new(rate_hz: u32, channels: usize, kbit: Option<u16>) -> io::Result<Self> {
        let rate = RATES_HZ.iter().position(|&rate| rate == rate_hz);
        let rate = rate.ok_or(io::ErrorKind::Unsupported)? as u16;
        let (encoder, output) = OutsideEncoder::to_adts(rate_hz, channels, kbit)?;
        let (sender, packets) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(packet) = next_packet(&mut output)? {
                // A receiver that is gone wants no more.
                if sender.send(packet).is_err() {
                    break;
                }
            }
            Ok(())
        });
        /// Low complexity.
        const OBJECT_TYPE: u16 = 2;
        let config = OBJECT_TYPE << 11 | rate << 7 | (channels as u16) << 3;
        Ok(Self {
            encoder,
            packets,
            reader: Some(reader),
            config: config.to_be_bytes(),
        })
    }

    /// The decoder's parameters (`AudioSpecificConfig`).
    pub(super) fn config(&self) -> [u8; 2] {
        self.config
    }

    /// Takes samples, channels taking turns, and gives the packets that have come meanwhile.
    pub(super) fn encode(
        &mut self,
        interleaved: &[f32],
        packets: &mut Vec<Vec<u8>>,
    ) -> io::Result<()> {
        self.encoder.write(interleaved)?;
        packets.extend(self.packets.try_iter());
        Ok(())
    }

    /// Gives the last packets.
    pub(super) fn finish(&mut self, packets: &mut Vec<Vec<u8>>) -> io::Result<()> {
        self.encoder.finish()?;
        packets.extend(self.packets.iter());
        match self.reader.take().map(JoinHandle::join) {
            Some(Ok(read)) => read,
            _ => Err(io::Error::other("reading ffmpeg's packets failed")),
        }
    }
}

/// The next frame without its header; `None` at the end.
fn next_packet(stream: &mut BufReader<ChildStdout>) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; 7];
    match stream.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    // Twelve bits of synchronisation, and no checksum behind the header.
    let is_frame = header[0] == 0xFF && header[1] & 0xF1 == 0xF1;
    let bytes = usize::from(header[3] & 3) << 11
        | usize::from(header[4]) << 3
        | usize::from(header[5] >> 5);
    match bytes.checked_sub(header.len()) {
        Some(bytes) if is_frame => {
            let mut packet = vec![0; bytes];
            stream.read_exact(&mut packet)?;
            Ok(Some(packet))
        }
        _ => Err(io::Error::other("ffmpeg gave something else than ADTS")),
    }
}

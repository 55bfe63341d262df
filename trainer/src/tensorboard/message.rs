//! The few protocol buffers that an event file holds, field by field.
//!
//! Source: `tensorboard/compat/proto/{event,summary,tensor}.proto` of PyPI tensorboard 2.21. Numbers
//! of fields never change; a generator for these five messages would be more than they are.

/// A message in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub(super) fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub(super) fn message(self, field: u64, value: Self) -> Self {
        self.bytes(field, &value.0)
    }

    pub(super) fn integer(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    pub(super) fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn double(mut self, field: u64, value: f64) -> Self {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// One value of a summary under its tag.
pub(super) fn scalar(tag: &str, value: f64) -> Message {
    Message::default().text(1, tag).float(2, value as f32)
}

/// A PNG.
pub(super) fn image(tag: &str, [height, width]: [usize; 2], png: &[u8]) -> Message {
    let image = Message::default()
        .integer(1, height as u64)
        .integer(2, width as u64)
        .integer(3, 3) // RGB
        .bytes(4, png);
    Message::default().text(1, tag).message(4, image)
}

/// A WAV file.
pub(super) fn audio(
    tag: &str,
    rate_hz: u32,
    [channels, frames]: [usize; 2],
    wav: &[u8],
) -> Message {
    let audio = Message::default()
        .float(1, rate_hz as f32)
        .integer(2, channels as u64)
        .integer(3, frames as u64)
        .bytes(4, wav)
        .text(5, "audio/wav");
    Message::default().text(1, tag).message(6, audio)
}

/// Words, in Markdown.
pub(super) fn words(tag: &str, markdown: &str) -> Message {
    const DT_STRING: u64 = 7;
    let plugin = Message::default().text(1, "text");
    let shape = Message::default().message(2, Message::default().integer(1, 1));
    let tensor = Message::default()
        .integer(1, DT_STRING)
        .message(2, shape)
        .text(8, markdown);
    Message::default()
        .text(1, tag)
        .message(8, tensor)
        .message(9, Message::default().message(1, plugin))
}

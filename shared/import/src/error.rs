//! Why a file is not imported.

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Another kind of file.
    #[error(
        "neither a file of torch.save (a zip file: .th, .pt) nor safetensors: its first bytes are {first_bytes:02x?}"
    )]
    UnknownKind {
        /// What it begins with.
        first_bytes: Vec<u8>,
    },
    /// A file of torch 1.5 or older.
    #[error(
        "saved in torch's format from before version 1.6, which is not read here. Convert it where torch is installed and you trust the file: python -c \"import torch; torch.save(torch.load('old.th', 'cpu', weights_only=False), 'new.th')\""
    )]
    Legacy,
    /// A compiled program, not weights.
    #[error(
        "a TorchScript file: it holds code as well as weights, import takes weights only. Save the model's state_dict() with torch.save"
    )]
    TorchScript,
    /// The zip container is damaged or of a kind that `torch.save` does not write.
    #[error("the zip file is damaged or cut off ({0}): download it again")]
    Archive(String),
    /// An instruction that `torch.save` never writes.
    #[error(
        "byte {at} of the pickle is instruction {opcode:#04x}, which torch.save does not write"
    )]
    Opcode {
        /// The instruction.
        opcode: u8,
        /// Where it is.
        at: usize,
    },
    /// The file wants to call something that no model needs.
    #[error(
        "the file calls {name} (byte {at} of its pickle), which is no part of a model's weights. Nothing was executed. If you do not know why it would do so, do not open it anywhere else"
    )]
    Forbidden {
        /// Module and name.
        name: String,
        /// Where the pickle names it.
        at: usize,
    },
    /// Instructions that make no sense together.
    #[error("the pickle is damaged at byte {at}: {what}")]
    Pickle {
        /// What is wrong.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// Larger than any model.
    #[error("the file holds {got} {what}, the limit is {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        got: usize,
        /// The limit, see [`limits`](crate::limits).
        limit: usize,
    },
    /// A tensor that reaches beyond its data, or of a type that weights never have.
    #[error("a tensor of shape {shape:?}: {what}")]
    Tensor {
        /// Its shape.
        shape: Vec<usize>,
        /// What is wrong.
        what: String,
    },
    /// The safetensors file is damaged, or its metadata does not parse.
    #[error("the safetensors file: {0}")]
    Safetensors(String),
    /// A readable file that is no model.
    #[error("no model in the file: {0}")]
    NoModel(String),
    /// A DiffQ state that does not fit the model.
    #[error("the file's DiffQ state: {0}")]
    Quantized(String),
}

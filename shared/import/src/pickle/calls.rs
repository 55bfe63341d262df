//! The names that a pickle may use, and what calling them means here. Nothing of Python's is called.

use super::machine::Machine;
use crate::document::{Node, NodeId};
use crate::error::ImportError;
use crate::tensor::{Dtype, TensorView};

/// Names that make data.
const REBUILD_TENSOR: &str = "torch._utils._rebuild_tensor_v2";
const REBUILD_PARAMETER: &str = "torch._utils._rebuild_parameter";
const SIZE: &str = "torch.Size";
const ORDERED_DICT: &str = "collections.OrderedDict";
const DEFAULT_DICT: &str = "collections.defaultdict";
const FRACTION: &str = "fractions.Fraction";
/// How protocol 2 writes bytes: as the text that they are in Latin-1.
const ENCODE: &str = "_codecs.encode";

/// Modules all of whose names stand for themselves: classes of models and quantizers, and what the
/// packages keep of the training's command line. Calling one makes an object without behaviour.
const INERT_MODULES: [&str; 7] = [
    "demucs.",
    "diffq.",
    "torch.nn.",
    "omegaconf.",
    "argparse.",
    "pathlib.",
    "enum.",
];

/// Single names of the same kind.
const INERT_NAMES: [&str; 16] = [
    "__builtin__.dict",
    "__builtin__.list",
    "__builtin__.object",
    "__builtin__.set",
    "builtins.dict",
    "builtins.list",
    "builtins.object",
    "builtins.set",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "torch.device",
    "torch.float16",
    "torch.float32",
    "typing.Any",
    "typing.Union",
];

/// May a pickle name this at all?
pub(super) fn is_known(name: &str) -> bool {
    [
        REBUILD_TENSOR,
        REBUILD_PARAMETER,
        SIZE,
        ORDERED_DICT,
        DEFAULT_DICT,
        FRACTION,
        ENCODE,
    ]
    .contains(&name)
        || INERT_NAMES.contains(&name)
        || INERT_MODULES.iter().any(|module| name.starts_with(module))
        || Dtype::of_storage(name).is_some()
}

/// `REDUCE`: the value of a call.
pub(super) fn call(
    machine: &mut Machine<'_, '_>,
    callee: NodeId,
    arguments: NodeId,
) -> Result<NodeId, ImportError> {
    let Node::Name(name) = machine.nodes.get(callee) else {
        return Err(machine.damaged("it calls what is no function"));
    };
    let Node::Tuple(arguments) = machine.nodes.get(arguments) else {
        return Err(machine.damaged("a call's arguments are no tuple"));
    };
    let node = match (name.as_str(), &arguments[..]) {
        (REBUILD_TENSOR, [storage, offset, shape, stride, ..]) => {
            Node::Tensor(tensor(machine, *storage, *offset, *shape, *stride)?.into())
        }
        (REBUILD_PARAMETER | SIZE, [value, ..]) => return Ok(*value),
        (ORDERED_DICT, []) | (DEFAULT_DICT, _) => Node::Dict(Vec::new()),
        (FRACTION, arguments) => fraction(machine, arguments)?,
        (ENCODE, [text, ..]) => {
            let bytes = latin1(machine, *text)?;
            machine.budget -= bytes.len();
            Node::Bytes(bytes)
        }
        (REBUILD_TENSOR | REBUILD_PARAMETER | SIZE | ORDERED_DICT | ENCODE, _) => {
            return Err(machine.damaged("a call has too few arguments, or too many"));
        }
        (name, _) => Node::Object {
            class: name.to_owned(),
            state: None,
        },
    };
    machine.nodes.push(node)
}

/// `NEWOBJ`: an object, or the dictionary that some classes are.
pub(super) fn new_object(
    machine: &mut Machine<'_, '_>,
    class: NodeId,
) -> Result<NodeId, ImportError> {
    let Node::Name(name) = machine.nodes.get(class) else {
        return Err(machine.damaged("it makes an object of what is no class"));
    };
    let node = match name.as_str() {
        ORDERED_DICT | DEFAULT_DICT => Node::Dict(Vec::new()),
        name => Node::Object {
            class: name.to_owned(),
            state: None,
        },
    };
    machine.nodes.push(node)
}

fn tensor(
    machine: &Machine<'_, '_>,
    storage: NodeId,
    offset: NodeId,
    shape: NodeId,
    stride: NodeId,
) -> Result<TensorView, ImportError> {
    let Node::Storage(dtype, data) = machine.nodes.get(storage) else {
        return Err(machine.damaged("a tensor has no storage"));
    };
    let Node::Int(offset) = machine.nodes.get(offset) else {
        return Err(machine.damaged("a tensor's offset is no number"));
    };
    let numbers = |tuple| -> Result<Vec<usize>, ImportError> {
        let Node::Tuple(members) = machine.nodes.get(tuple) else {
            return Err(machine.damaged("a tensor's shape is no tuple"));
        };
        // One more than is accepted, so that the tensor's own check speaks of it.
        let members = members.iter().take(crate::limits::MAX_AXES + 1);
        members
            .map(|&member| match machine.nodes.get(member) {
                Node::Int(value) => usize::try_from(*value)
                    .map_err(|_| machine.damaged("a tensor's shape or stride is negative")),
                _ => Err(machine.damaged("a tensor's shape holds what is no number")),
            })
            .collect()
    };
    let offset =
        usize::try_from(*offset).map_err(|_| machine.damaged("a tensor's offset is negative"))?;
    TensorView::new(
        *dtype,
        data.clone(),
        offset,
        numbers(shape)?,
        numbers(stride)?,
    )
}

/// `Fraction("39/5")` of older Pythons, `Fraction(39, 5)` of newer ones.
fn fraction(machine: &Machine<'_, '_>, arguments: &[NodeId]) -> Result<Node, ImportError> {
    let wrong = || machine.damaged("a fraction is not made of two numbers");
    let integer = |node| match machine.nodes.get(node) {
        Node::Int(value) => Ok(*value),
        _ => Err(wrong()),
    };
    let (numerator, denominator) = match arguments {
        [text] => {
            let Node::Text(text) = machine.nodes.get(*text) else {
                return Err(wrong());
            };
            let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
            let number = |digits: &str| digits.parse().map_err(|_| wrong());
            (number(numerator)?, number(denominator)?)
        }
        [numerator, denominator] => (integer(*numerator)?, integer(*denominator)?),
        _ => return Err(wrong()),
    };
    if denominator == 0 {
        return Err(machine.damaged("a fraction divides by 0"));
    }
    Ok(Node::Fraction(numerator, denominator))
}

/// Bytes are no more than the text's, but one text can be encoded often: all bytes together must
/// stay within the pickle's length.
fn latin1(machine: &Machine<'_, '_>, text: NodeId) -> Result<Vec<u8>, ImportError> {
    let Node::Text(text) = machine.nodes.get(text) else {
        return Err(machine.damaged("bytes are made of what is no text"));
    };
    if text.len() > machine.budget {
        return Err(ImportError::Limit {
            what: "bytes made from one text again and again",
            got: text.len(),
            limit: machine.budget,
        });
    }
    let bytes: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(char).ok()).collect();
    bytes.ok_or_else(|| machine.damaged("a text that stands for bytes is not Latin-1"))
}

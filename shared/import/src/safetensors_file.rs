//! Safetensors files of the demucs 4.x releases: the class and its arguments as JSON in the
//! metadata, DiffQ states as a nesting of tensors that is described there too.

use std::collections::HashMap;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype as Stored;
use serde_json::Value;

use crate::document::{Document, Node, NodeId, Nodes};
use crate::error::ImportError;
use crate::tensor::{Dtype, TensorView};

/// The file as the same document that a pickle gives.
///
/// # Errors
/// [`ImportError::Safetensors`]: damaged, or metadata that does not parse.
pub(crate) fn read(bytes: &[u8]) -> Result<Document<'_>, ImportError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let mut nodes = Nodes::default();
    let mut tensors = HashMap::new();
    let mut state = Vec::new();
    for (name, view) in file.iter() {
        let start = view.data().as_ptr() as usize - bytes.as_ptr() as usize;
        let dtype = dtype_of(name, view.dtype())?;
        let data = start..start + view.data().len();
        let view = TensorView::whole(dtype, data, view.shape().to_vec())?;
        let tensor = nodes.push(Node::Tensor(view.into()))?;
        state.push((nodes.push(Node::Text(name.to_owned()))?, tensor));
        tensors.insert(name.to_owned(), tensor);
    }
    let mut state = nodes.push(Node::Dict(state))?;
    let json = |key: &str| -> Result<Option<Value>, ImportError> {
        let parse = |text: &String| {
            serde_json::from_str(text)
                .map_err(|error| ImportError::Safetensors(format!("its {key} is no JSON: {error}")))
        };
        metadata.get(key).map(parse).transpose()
    };
    if let Some(structure) = json("structure")? {
        state = nested(&mut nodes, &tensors, &structure)?;
    }
    let Some(class) = metadata.get("klass") else {
        return Ok(nodes.into_document(bytes, state));
    };
    let class = nodes.push(Node::Name(class.clone()))?;
    let mut root = vec![("klass", class), ("state", state)];
    for key in ["args", "kwargs"] {
        let value = json(key)?
            .ok_or_else(|| ImportError::Safetensors(format!("its metadata has no {key}")))?;
        root.push((key, plain(&mut nodes, &value)?));
    }
    let mut entries = Vec::new();
    for (key, value) in root {
        entries.push((nodes.push(Node::Text(key.into()))?, value));
    }
    let root = nodes.push(Node::Dict(entries))?;
    Ok(nodes.into_document(bytes, root))
}

fn damaged(error: safetensors::SafeTensorError) -> ImportError {
    ImportError::Safetensors(format!("damaged or cut off ({error}): download it again"))
}

fn dtype_of(name: &str, stored: Stored) -> Result<Dtype, ImportError> {
    Ok(match stored {
        Stored::F64 => Dtype::F64,
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::I64 => Dtype::I64,
        Stored::I32 => Dtype::I32,
        Stored::I16 => Dtype::I16,
        Stored::I8 => Dtype::I8,
        Stored::U8 => Dtype::U8,
        Stored::BOOL => Dtype::Bool,
        other => {
            let text = format!("tensor {name} is stored as {other:?}, which weights never are");
            return Err(ImportError::Safetensors(text));
        }
    })
}

/// Arguments of a class; fractions are written as `{"_type": "fraction", ..}`.
///
/// The JSON parser refuses to go deeper than 128 levels, so this may recurse.
fn plain(nodes: &mut Nodes, value: &Value) -> Result<NodeId, ImportError> {
    let node = match value {
        Value::Null => Node::None,
        Value::Bool(value) => Node::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Node::Int(value),
            (None, value) => Node::Float(value.unwrap_or(f64::NAN)),
        },
        Value::String(text) => Node::Text(text.clone()),
        Value::Array(members) => Node::List(all(nodes, members, plain)?),
        Value::Object(fields) if fields.get("_type") == Some(&"fraction".into()) => {
            let part = |key| fields.get(key).and_then(Value::as_i64);
            match (part("numerator"), part("denominator")) {
                (Some(numerator), Some(denominator)) if denominator != 0 => {
                    Node::Fraction(numerator, denominator)
                }
                _ => return Err(ImportError::Safetensors("a fraction of no numbers".into())),
            }
        }
        Value::Object(fields) => {
            let mut entries = Vec::new();
            for (key, value) in fields {
                let key = nodes.push(Node::Text(key.clone()))?;
                entries.push((key, plain(nodes, value)?));
            }
            Node::Dict(entries)
        }
    };
    nodes.push(node)
}

/// A nested state: objects with one key each, `_tensor`, `_dict`, `_list`, `_tuple` or `_class`.
fn nested(
    nodes: &mut Nodes,
    tensors: &HashMap<String, NodeId>,
    value: &Value,
) -> Result<NodeId, ImportError> {
    let wrong = || ImportError::Safetensors("the structure in its metadata is not demucs'".into());
    let Value::Object(fields) = value else {
        return match value {
            Value::Array(_) => Err(wrong()),
            value => plain(nodes, value),
        };
    };
    let mut fields = fields.iter();
    let (Some((kind, content)), None) = (fields.next(), fields.next()) else {
        return Err(wrong());
    };
    let below = |nodes: &mut Nodes, value: &Value| nested(nodes, tensors, value);
    let node = match (kind.as_str(), content) {
        ("_tensor", Value::String(name)) => {
            let missing = || ImportError::Safetensors(format!("tensor {name} is missing"));
            return tensors.get(name).copied().ok_or_else(missing);
        }
        ("_class", Value::String(name)) => Node::Name(name.clone()),
        ("_list", Value::Array(members)) => Node::List(all(nodes, members, below)?),
        ("_tuple", Value::Array(members)) => Node::Tuple(all(nodes, members, below)?),
        ("_dict", Value::Array(pairs)) => {
            let mut entries = Vec::new();
            for pair in pairs {
                let [key, value] = pair.as_array().map(Vec::as_slice).unwrap_or_default() else {
                    return Err(wrong());
                };
                entries.push((plain(nodes, key)?, below(nodes, value)?));
            }
            Node::Dict(entries)
        }
        _ => return Err(wrong()),
    };
    nodes.push(node)
}

fn all(
    nodes: &mut Nodes,
    members: &[Value],
    mut read: impl FnMut(&mut Nodes, &Value) -> Result<NodeId, ImportError>,
) -> Result<Vec<NodeId>, ImportError> {
    members.iter().map(|member| read(nodes, member)).collect()
}

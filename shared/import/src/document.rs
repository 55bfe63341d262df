//! Plain data out of a file: numbers, texts, lists, dictionaries, names of classes, tensors.
//!
//! All values lie in one list and refer to each other by index: a value that is used a million times
//! is stored once, a list that holds itself is no danger, and nothing here recurses.

use std::ops::Range;

use crate::error::ImportError;
use crate::limits::MAX_NODES;
use crate::package::Array;
use crate::tensor::TensorView;

/// Index of a value in its document.
pub(crate) type NodeId = u32;

#[derive(Debug)]
pub(crate) enum Node {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Fraction(i64, i64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<NodeId>),
    Tuple(Vec<NodeId>),
    Dict(Vec<(NodeId, NodeId)>),
    /// A class or function, by module and name.
    Name(String),
    /// Untyped data of tensors: a part of the file.
    Storage(crate::tensor::Dtype, Range<usize>),
    Tensor(Box<TensorView>),
    /// An object that nobody here needs to understand.
    Object {
        class: String,
        state: Option<NodeId>,
    },
}

/// Everything that a file says, and the bytes that its tensors refer to.
#[derive(Debug)]
pub struct Document<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
    root: NodeId,
}

/// One value of a document.
#[derive(Clone, Copy, Debug)]
pub struct Item<'d> {
    document: &'d Document<'d>,
    node: NodeId,
}

/// The values of a document that is being read.
#[derive(Debug, Default)]
pub(crate) struct Nodes(Vec<Node>);

impl Nodes {
    pub(crate) fn push(&mut self, node: Node) -> Result<NodeId, ImportError> {
        if self.0.len() >= MAX_NODES {
            return Err(ImportError::Limit {
                what: "values",
                got: self.0.len() + 1,
                limit: MAX_NODES,
            });
        }
        self.0.push(node);
        Ok((self.0.len() - 1) as NodeId)
    }

    /// Ids are only made by `push`, so they always lie within.
    pub(crate) fn get(&self, node: NodeId) -> &Node {
        &self.0[node as usize]
    }

    pub(crate) fn get_mut(&mut self, node: NodeId) -> &mut Node {
        &mut self.0[node as usize]
    }

    pub(crate) fn into_document(self, bytes: &[u8], root: NodeId) -> Document<'_> {
        Document {
            bytes,
            nodes: self.0,
            root,
        }
    }
}

impl Document<'_> {
    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Item<'_> {
        Item {
            document: self,
            node: self.root,
        }
    }
}

impl<'d> Item<'d> {
    fn node(&self) -> &'d Node {
        &self.document.nodes[self.node as usize]
    }

    fn at(&self, node: NodeId) -> Self {
        Self {
            document: self.document,
            node,
        }
    }

    /// Is it Python's `None`?
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self.node(), Node::None)
    }

    /// Is it a dictionary?
    #[must_use]
    pub fn is_dict(&self) -> bool {
        matches!(self.node(), Node::Dict(_))
    }

    /// A truth value.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.node() {
            Node::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A whole number.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self.node() {
            Node::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A number of any kind.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self.node() {
            Node::Int(value) => Some(*value as f64),
            Node::Float(value) => Some(*value),
            Node::Fraction(numerator, denominator) => Some(*numerator as f64 / *denominator as f64),
            _ => None,
        }
    }

    /// A fraction's numerator and denominator, which is not 0.
    #[must_use]
    pub fn as_fraction(&self) -> Option<(i64, i64)> {
        match self.node() {
            Node::Fraction(numerator, denominator) => Some((*numerator, *denominator)),
            _ => None,
        }
    }

    /// A text.
    #[must_use]
    pub fn as_str(&self) -> Option<&'d str> {
        match self.node() {
            Node::Text(value) => Some(value),
            _ => None,
        }
    }

    /// Raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'d [u8]> {
        match self.node() {
            Node::Bytes(value) => Some(value),
            _ => None,
        }
    }

    /// A class that the file names, e.g. `demucs.model.Demucs`.
    #[must_use]
    pub fn as_class(&self) -> Option<&'d str> {
        match self.node() {
            Node::Name(value) => Some(value),
            _ => None,
        }
    }

    /// The members of a list or tuple.
    #[must_use]
    pub fn members(&self) -> Option<Vec<Self>> {
        match self.node() {
            Node::List(members) | Node::Tuple(members) => {
                Some(members.iter().map(|&member| self.at(member)).collect())
            }
            _ => None,
        }
    }

    /// The entries of a dictionary whose keys are texts; other keys are passed over.
    #[must_use]
    pub fn entries(&self) -> Option<Vec<(&'d str, Self)>> {
        match self.node() {
            Node::Dict(entries) => Some(
                entries
                    .iter()
                    .filter_map(|&(key, value)| Some((self.at(key).as_str()?, self.at(value))))
                    .collect(),
            ),
            _ => None,
        }
    }

    /// An entry of a dictionary, or of the state of an object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Self> {
        match self.node() {
            // The last of equal keys counts, as in Python.
            Node::Dict(entries) => entries
                .iter()
                .rev()
                .find(|(name, _)| self.at(*name).as_str() == Some(key))
                .map(|&(_, value)| self.at(value)),
            // The state of an object is looked at once, never through another object.
            Node::Object {
                state: Some(state), ..
            } => match self.document.nodes[*state as usize] {
                Node::Dict(_) => self.at(*state).get(key),
                _ => None,
            },
            _ => None,
        }
    }

    /// A tensor's shape.
    #[must_use]
    pub fn shape(&self) -> Option<&'d [usize]> {
        match self.node() {
            Node::Tensor(view) => Some(view.shape()),
            _ => None,
        }
    }

    /// A tensor's values, in row-major order.
    ///
    /// # Errors
    /// It is no tensor of floating-point numbers.
    pub fn floats(&self) -> Result<Array, ImportError> {
        match self.node() {
            Node::Tensor(view) => view.floats(self.document.bytes),
            _ => Err(self.no_tensor()),
        }
    }

    /// A tensor's values, in row-major order.
    ///
    /// # Errors
    /// It is no tensor of whole numbers.
    pub fn integers(&self) -> Result<Vec<i64>, ImportError> {
        match self.node() {
            Node::Tensor(view) => view.integers(self.document.bytes),
            _ => Err(self.no_tensor()),
        }
    }

    fn no_tensor(&self) -> ImportError {
        ImportError::NoModel(format!("{} stands where a tensor belongs", self.kind()))
    }

    /// What kind of value it is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.node() {
            Node::None => "None",
            Node::Bool(_) => "a truth value",
            Node::Int(_) | Node::Float(_) | Node::Fraction(..) => "a number",
            Node::Text(_) => "a text",
            Node::Bytes(_) => "bytes",
            Node::List(_) => "a list",
            Node::Tuple(_) => "a tuple",
            Node::Dict(_) => "a dictionary",
            Node::Name(_) => "a class",
            Node::Storage(..) => "a storage",
            Node::Tensor(_) => "a tensor",
            Node::Object { .. } => "an object",
        }
    }

    /// As JSON, for notes on where a model comes from: tensors, bytes and objects become names of
    /// their kind, and so does what lies deeper than `depth`, or beyond `budget` values in all.
    #[must_use]
    pub fn to_json(&self, depth: usize, budget: &mut usize) -> serde_json::Value {
        use serde_json::Value;
        if depth == 0 || *budget == 0 {
            return Value::from("...");
        }
        *budget -= 1;
        let mut below = |item: &Self| item.to_json(depth - 1, budget);
        match self.node() {
            Node::None => Value::Null,
            Node::Bool(value) => Value::from(*value),
            Node::Int(value) => Value::from(*value),
            Node::Float(value) => Value::from(*value),
            Node::Fraction(numerator, denominator) => {
                Value::from(format!("{numerator}/{denominator}"))
            }
            Node::Text(value) => Value::from(value.chars().take(1000).collect::<String>()),
            Node::Name(value) => Value::from(value.as_str()),
            Node::List(members) | Node::Tuple(members) => members
                .iter()
                .take(1000)
                .map(|&member| below(&self.at(member)))
                .collect(),
            Node::Dict(_) => {
                let entries = self.entries().unwrap_or_default().into_iter().take(1000);
                entries
                    .map(|(key, value)| (key.to_owned(), below(&value)))
                    .collect()
            }
            Node::Object {
                state: Some(state), ..
            } => below(&self.at(*state)),
            Node::Object { class, state: None } => Value::from(class.as_str()),
            _ => Value::from(self.kind()),
        }
    }
}

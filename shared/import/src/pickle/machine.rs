//! The stack machine.

use std::collections::HashMap;

use super::calls;
use super::reader::Reader;
use crate::archive::Archive;
use crate::document::{Document, Node, NodeId, Nodes};
use crate::error::ImportError;
use crate::limits::MAX_NODES;
use crate::tensor::Dtype;

/// Reads the pickle of a file.
///
/// # Errors
/// [`ImportError`]: damaged, too large, or something in it is refused.
pub(crate) fn read<'a>(file: &'a [u8], archive: &Archive<'a>) -> Result<Document<'a>, ImportError> {
    let pickle = archive.pickle()?;
    let mut machine = Machine {
        reader: Reader::new(pickle),
        nodes: Nodes::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        storages: HashMap::new(),
        archive,
        budget: pickle.len(),
    };
    let root = machine.run()?;
    Ok(machine.nodes.into_document(file, root))
}

/// Its state. Every instruction makes at most one value, and none copies one.
pub(super) struct Machine<'m, 'a> {
    pub(super) reader: Reader<'a>,
    pub(super) nodes: Nodes,
    stack: Vec<NodeId>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, NodeId>,
    /// By key: a storage's checksum is computed once.
    storages: HashMap<String, std::ops::Range<usize>>,
    archive: &'m Archive<'a>,
    /// Bytes that calls may still make out of texts.
    pub(super) budget: usize,
}

/// What grows without making values is bounded like values are.
fn limit(what: &'static str, length: usize) -> Result<(), ImportError> {
    if length < MAX_NODES {
        return Ok(());
    }
    Err(ImportError::Limit {
        what,
        got: length + 1,
        limit: MAX_NODES,
    })
}

impl Machine<'_, '_> {
    fn run(&mut self) -> Result<NodeId, ImportError> {
        loop {
            let at = self.reader.at();
            let opcode = self.reader.byte()?;
            match opcode {
                0x80 => match self.reader.byte()? {
                    2 => {}
                    _ => return Err(self.damaged("its protocol is not 2, as torch.save's")),
                },
                b'.' => {
                    let root = self.pop()?;
                    return match (self.stack.is_empty(), self.marks.is_empty()) {
                        (true, true) => Ok(root),
                        _ => Err(self.damaged("values are left over at its end")),
                    };
                }
                b'N' => self.push(Node::None)?,
                0x88 => self.push(Node::Bool(true))?,
                0x89 => self.push(Node::Bool(false))?,
                b'K' => {
                    let value = self.reader.byte()?;
                    self.push(Node::Int(value.into()))?;
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.reader.array()?);
                    self.push(Node::Int(value.into()))?;
                }
                b'J' => {
                    let value = i32::from_le_bytes(self.reader.array()?);
                    self.push(Node::Int(value.into()))?;
                }
                0x8a => self.long()?,
                b'G' => {
                    let value = f64::from_be_bytes(self.reader.array()?);
                    self.push(Node::Float(value))?;
                }
                b'X' => {
                    let text = self.reader.text()?.to_owned();
                    self.push(Node::Text(text))?;
                }
                b'c' => {
                    let name = format!("{}.{}", self.reader.line()?, self.reader.line()?);
                    if !calls::is_known(&name) {
                        return Err(ImportError::Forbidden { name, at });
                    }
                    self.push(Node::Name(name))?;
                }
                b'(' => {
                    limit("marks", self.marks.len())?;
                    self.marks.push(self.stack.len());
                }
                b')' => self.push(Node::Tuple(Vec::new()))?,
                0x85..=0x87 => {
                    let members = self.pop_many(usize::from(opcode - 0x84))?;
                    self.push(Node::Tuple(members))?;
                }
                b't' => {
                    let members = self.pop_to_mark()?;
                    self.push(Node::Tuple(members))?;
                }
                b']' => self.push(Node::List(Vec::new()))?,
                b'a' => {
                    let member = self.pop()?;
                    self.append(vec![member])?;
                }
                b'e' => {
                    let members = self.pop_to_mark()?;
                    self.append(members)?;
                }
                b'}' => self.push(Node::Dict(Vec::new()))?,
                b's' => {
                    let entry = self.pop_many(2)?;
                    self.insert(&entry)?;
                }
                b'u' => {
                    let entries = self.pop_to_mark()?;
                    self.insert(&entries)?;
                }
                b'q' => {
                    let index = self.reader.byte()?;
                    self.remember(index.into())?;
                }
                b'r' => {
                    let index = self.reader.u32()?;
                    self.remember(index)?;
                }
                b'h' => {
                    let index = self.reader.byte()?;
                    self.recall(index.into())?;
                }
                b'j' => {
                    let index = self.reader.u32()?;
                    self.recall(index)?;
                }
                b'Q' => self.storage()?,
                b'R' => {
                    let arguments = self.pop()?;
                    let callee = self.pop()?;
                    let value = calls::call(self, callee, arguments)?;
                    self.stack.push(value);
                }
                0x81 => {
                    let _arguments = self.pop()?;
                    let class = self.pop()?;
                    let value = calls::new_object(self, class)?;
                    self.stack.push(value);
                }
                b'b' => {
                    let state = self.pop()?;
                    self.build(state)?;
                }
                _ => return Err(ImportError::Opcode { opcode, at }),
            }
        }
    }

    pub(super) fn damaged(&self, what: &'static str) -> ImportError {
        self.reader.damaged(what)
    }

    fn push(&mut self, node: Node) -> Result<(), ImportError> {
        let node = self.nodes.push(node)?;
        self.stack.push(node);
        Ok(())
    }

    /// Values below the last mark cannot be taken.
    fn pop(&mut self) -> Result<NodeId, ImportError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.pop() {
            Some(node) if self.stack.len() >= floor => Ok(node),
            _ => Err(self.damaged("a value is missing")),
        }
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<NodeId>, ImportError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(rest) if rest >= floor => Ok(self.stack.split_off(rest)),
            _ => Err(self.damaged("a value is missing")),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<NodeId>, ImportError> {
        let mark = self.marks.pop();
        let mark = mark.ok_or_else(|| self.damaged("a mark is missing"))?;
        // A mark never lies above the stack: values below the last mark cannot be taken.
        Ok(self.stack.split_off(mark))
    }

    fn top(&self) -> Result<NodeId, ImportError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&node) if self.stack.len() > floor => Ok(node),
            _ => Err(self.damaged("a value is missing")),
        }
    }

    /// A Python integer of any length; those beyond 64 bits are not needed by any model.
    fn long(&mut self) -> Result<(), ImportError> {
        let length = usize::from(self.reader.byte()?);
        let bytes = self.reader.take(length)?;
        if length > 8 {
            let class = "int".to_owned();
            return self.push(Node::Object { class, state: None });
        }
        let is_negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut extended = [if is_negative { 0xff } else { 0 }; 8];
        extended[..length].copy_from_slice(bytes);
        self.push(Node::Int(i64::from_le_bytes(extended)))
    }

    fn append(&mut self, members: Vec<NodeId>) -> Result<(), ImportError> {
        let list = self.top()?;
        match self.nodes.get_mut(list) {
            Node::List(list) => list.extend(members),
            // A set's members, say: nobody asks for them.
            Node::Object { .. } => {}
            _ => return Err(self.damaged("values are appended to what is no list")),
        }
        Ok(())
    }

    /// Keys and values in turn.
    fn insert(&mut self, entries: &[NodeId]) -> Result<(), ImportError> {
        let (pairs, rest) = entries.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.damaged("a key has no value"));
        }
        let dict = self.top()?;
        match self.nodes.get_mut(dict) {
            Node::Dict(dict) => dict.extend(pairs.iter().map(|&[key, value]| (key, value))),
            Node::Object { .. } => {}
            _ => return Err(self.damaged("entries are put into what is no dictionary")),
        }
        Ok(())
    }

    fn remember(&mut self, index: u32) -> Result<(), ImportError> {
        let node = self.top()?;
        limit("remembered values", self.memo.len())?;
        self.memo.insert(index, node);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), ImportError> {
        let node = self.memo.get(&index).copied();
        let node = node.ok_or_else(|| self.damaged("it recalls what it never remembered"))?;
        limit("values on its stack", self.stack.len())?;
        self.stack.push(node);
        Ok(())
    }

    /// `BUILD`: attributes of an object. Those of dictionaries (`_metadata` of a state) and tensors
    /// say nothing about weights.
    fn build(&mut self, attributes: NodeId) -> Result<(), ImportError> {
        let object = self.top()?;
        match self.nodes.get_mut(object) {
            Node::Object { state, .. } => *state = Some(attributes),
            Node::Dict(_) | Node::Tensor(_) => {}
            _ => return Err(self.damaged("attributes are given to what has none")),
        }
        Ok(())
    }

    /// `BINPERSID`: `("storage", type, key, device, number of elements)`.
    fn storage(&mut self) -> Result<(), ImportError> {
        let id = self.pop()?;
        let wrong = self.damaged("a storage's description is not torch.save's");
        let Node::Tuple(members) = self.nodes.get(id) else {
            return Err(wrong);
        };
        let [kind, class, key, _device, elements] = members[..] else {
            return Err(wrong);
        };
        let (Node::Text(kind), Node::Name(class), Node::Text(key), Node::Int(elements)) = (
            self.nodes.get(kind),
            self.nodes.get(class),
            self.nodes.get(key),
            self.nodes.get(elements),
        ) else {
            return Err(wrong);
        };
        let Some(dtype) = Dtype::of_storage(class) else {
            return Err(wrong);
        };
        if kind != "storage" {
            return Err(wrong);
        }
        let claimed = usize::try_from(*elements).ok();
        let claimed = claimed.and_then(|elements| elements.checked_mul(dtype.bytes()));
        let claimed = claimed.unwrap_or(usize::MAX);
        let data = match self.storages.get(key) {
            Some(data) => data.clone(),
            None => {
                let data = self.archive.storage(key)?;
                self.storages.insert(key.clone(), data.clone());
                data
            }
        };
        if claimed > data.len() {
            return Err(ImportError::Archive(format!(
                "the pickle says that storage {key} has {claimed} bytes, it has {}",
                data.len()
            )));
        }
        self.push(Node::Storage(dtype, data.start..data.start + claimed))
    }
}

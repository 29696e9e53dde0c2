//! The tree that we edit, and its flattened form for the OS.
//!
//! Everything lives in four vectors, because the whole tree costs less than 5 % of a boot that way. Nothing is
//! removed; a property that is set twice leaves its old value unused.

mod node;

pub use node::{Node, NodeMut};

use crate::dt::flat::{BEGIN_NODE, END, END_NODE, Event, Events, MAGIC, PROPERTY};
use crate::dt::names::{Name, Names};
use crate::dt::read::cells;
use crate::error::{Error, Result, why};
use crate::units::Pir;
use alloc::vec::Vec;
use core::ops::Range;

/// Number by which other nodes refer to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phandle(pub u32);

/// A node of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(usize);

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    length: usize,
}

struct NodeData {
    name: Span,
    properties: Option<usize>,
    children: Option<usize>,
    next: Option<usize>,
}

struct PropertyData {
    name: Name,
    value: Span,
    next: Option<usize>,
}

/// An editable device tree.
pub struct Tree {
    nodes: Vec<NodeData>,
    properties: Vec<PropertyData>,
    bytes: Vec<u8>,
    names: Names,
    reservations: Vec<Range<u64>>,
    next_phandle: u32,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// A tree with an empty root.
    pub fn new() -> Self {
        let mut tree = Self {
            nodes: Vec::with_capacity(512),
            properties: Vec::with_capacity(2560),
            bytes: Vec::with_capacity(64 << 10),
            names: Names::new(),
            reservations: Vec::new(),
            next_phandle: 1,
        };
        tree.push_node(b"");
        tree
    }

    /// All nodes and properties of a flattened tree.
    ///
    /// # Errors
    /// `Parameter` when the blob is broken.
    pub fn from_blob(blob: &[u8]) -> Result<Self> {
        let mut tree = Self::new();
        let mut events = Events::new(blob)?;
        let mut path = Vec::new();
        while let Some(event) = events.next()? {
            match (event, path.last().copied()) {
                (Event::Begin(b""), None) => path.push(0),
                (Event::Begin(name), Some(parent)) => {
                    let node = tree.push_node(name);
                    tree.link_first(parent, node);
                    path.push(node);
                }
                (Event::Property(name, value), Some(node)) => {
                    if name == b"phandle" {
                        let used = cells(value).next().unwrap_or(0);
                        tree.next_phandle = tree.next_phandle.max(used.saturating_add(1));
                    }
                    let value = tree.push_bytes(value);
                    // A blob has no property twice, so there is nothing to look for and replace.
                    let name = tree.names.intern(name);
                    let next = tree.nodes[node].properties.replace(tree.properties.len());
                    tree.properties.push(PropertyData { name, value, next });
                }
                (Event::End, Some(_)) => {
                    path.pop();
                }
                _ => return Err(Error::Parameter(why("device tree blob"))),
            }
        }
        if path.is_empty() { Ok(tree) } else { Err(Error::Parameter(why("device tree blob"))) }
    }

    /// The node at a path of full names, such as `/cpus/PowerPC,POWER9@0`.
    pub fn node(&self, path: &str) -> Option<Node<'_>> {
        self.walk(path).map(|at| Node { tree: self, at })
    }

    /// The same, to edit it.
    pub fn node_mut(&mut self, path: &str) -> Option<NodeMut<'_>> {
        self.walk(path).map(|at| NodeMut { tree: self, at })
    }

    /// The node at a path, made if it doesn't exist.
    pub fn make(&mut self, path: &str) -> NodeMut<'_> {
        let mut at = 0;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = self.find_or_add(at, name.as_bytes());
        }
        NodeMut { tree: self, at }
    }

    /// A node that was seen before, to edit it.
    pub fn at(&mut self, node: NodeId) -> NodeMut<'_> {
        NodeMut { tree: self, at: node.0 }
    }

    /// A node that was seen before.
    pub fn get(&self, node: NodeId) -> Node<'_> {
        Node { tree: self, at: node.0 }
    }

    /// Ids of the children of the node at `path` for which `wanted` holds; none if there is no such node.
    pub fn select(&self, path: &str, wanted: impl Fn(Node<'_>) -> bool) -> Vec<NodeId> {
        self.select_dyn(path, &wanted)
    }

    fn select_dyn(&self, path: &str, wanted: &dyn Fn(Node<'_>) -> bool) -> Vec<NodeId> {
        let mut found = Vec::new();
        if let Some(parent) = self.node(path) {
            for child in parent.children() {
                if wanted(child) {
                    found.push(child.id());
                }
            }
        }
        found
    }

    /// The phandle of the node at `path`: the one it has, else a new one.
    ///
    /// # Panics
    /// When there is no such node: whoever refers to it made it.
    pub fn phandle(&mut self, path: &str) -> Phandle {
        self.node_mut(path).expect("no node to give a phandle to").phandle()
    }

    /// Adds to the memory reservation block.
    pub fn reserve(&mut self, range: Range<u64>) {
        self.reservations.push(range);
    }

    /// The flattened form, version 17. `boot_cpu` is the thread that enters the OS.
    ///
    /// The OS wants it at a multiple of 8; where it is put is the caller's business.
    pub fn to_blob(&self, boot_cpu: Pir) -> Vec<u8> {
        const HEADER: usize = 40;
        let strings = self.names.block();
        // Per property a token, two words, padding; per node two tokens, the name's end and padding.
        let bound = self.bytes.len() + 16 * self.properties.len() + 12 * self.nodes.len();
        let mut out = Writer {
            blob: alloc::vec![0; HEADER + 16 * (self.reservations.len() + 1) + bound + 8 + strings.len()],
            at: HEADER,
        };
        for range in &self.reservations {
            out.put(&range.start.to_be_bytes());
            out.put(&(range.end - range.start).to_be_bytes());
        }
        out.at += 16;
        let structure = out.at;
        self.write_node(&mut out, 0);
        out.put(&END.to_be_bytes());
        let strings_at = out.at;
        out.put(strings);
        let header = [
            MAGIC,
            out.at as u32,
            structure as u32,
            strings_at as u32,
            HEADER as u32,
            17,
            16,
            boot_cpu.0,
            strings.len() as u32,
            (strings_at - structure) as u32,
        ];
        let mut blob = out.blob;
        blob.truncate(out.at);
        for (bytes, word) in blob.chunks_exact_mut(4).zip(header) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        blob
    }

    fn write_node(&self, out: &mut Writer, at: usize) {
        let node = &self.nodes[at];
        out.put(&BEGIN_NODE.to_be_bytes());
        out.put(self.slice(node.name));
        out.at += 1;
        out.align();
        let mut next = node.properties;
        while let Some(index) = next {
            let property = &self.properties[index];
            let head = [PROPERTY, property.value.length as u32, property.name.offset()];
            out.put(head.map(u32::to_be_bytes).as_flattened());
            out.put(self.slice(property.value));
            out.align();
            next = property.next;
        }
        let mut child = node.children;
        while let Some(index) = child {
            self.write_node(out, index);
            child = self.nodes[index].next;
        }
        out.put(&END_NODE.to_be_bytes());
    }

    fn slice(&self, span: Span) -> &[u8] {
        &self.bytes[span.start..span.start + span.length]
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span { start, length: bytes.len() }
    }

    fn push_node(&mut self, name: &[u8]) -> usize {
        let name = self.push_bytes(name);
        self.nodes.push(NodeData { name, properties: None, children: None, next: None });
        self.nodes.len() - 1
    }

    /// Makes `node` the first child. libfdt, with which QEMU builds its tree, does the same with each node it adds, so
    /// reading this way restores the order in which QEMU added them: by chip and by thread.
    fn link_first(&mut self, parent: usize, node: usize) {
        self.nodes[node].next = self.nodes[parent].children.replace(node);
    }

    fn link_last(&mut self, parent: usize, node: usize) {
        let Some(mut last) = self.nodes[parent].children else {
            self.nodes[parent].children = Some(node);
            return;
        };
        while let Some(next) = self.nodes[last].next {
            last = next;
        }
        self.nodes[last].next = Some(node);
    }

    fn link_property(&mut self, node: usize, name: &[u8], value: Span) {
        let name = self.names.intern(name);
        let mut last = None;
        let mut next = self.nodes[node].properties;
        while let Some(index) = next {
            if self.properties[index].name == name {
                self.properties[index].value = value;
                return;
            }
            last = next;
            next = self.properties[index].next;
        }
        let new = Some(self.properties.len());
        self.properties.push(PropertyData { name, value, next: None });
        match last {
            Some(last) => self.properties[last].next = new,
            None => self.nodes[node].properties = new,
        }
    }

    fn child(&self, parent: usize, name: &[u8]) -> Option<usize> {
        let mut child = self.nodes[parent].children;
        while let Some(index) = child {
            let node = &self.nodes[index];
            if node.name.length == name.len() && self.slice(node.name) == name {
                break;
            }
            child = node.next;
        }
        child
    }

    fn find_or_add(&mut self, parent: usize, name: &[u8]) -> usize {
        self.child(parent, name).unwrap_or_else(|| {
            let node = self.push_node(name);
            self.link_last(parent, node);
            node
        })
    }

    fn walk(&self, path: &str) -> Option<usize> {
        let names = path.strip_prefix('/')?.split('/').filter(|name| !name.is_empty());
        names.into_iter().try_fold(0, |at, name| self.child(at, name.as_bytes()))
    }
}

/// Writes into zeros, so that padding needs no writing.
struct Writer {
    blob: Vec<u8>,
    at: usize,
}

impl Writer {
    #[inline(always)] // A fifth of the instructions: the length is known at most places.
    fn put(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        self.blob[self.at..end].copy_from_slice(bytes);
        self.at = end;
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(4);
    }
}

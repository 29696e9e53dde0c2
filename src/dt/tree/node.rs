//! One node of a tree, to read and to edit it.

use super::{NodeId, Phandle, Span, Tree};
use crate::dt::read::cells;
use alloc::vec::Vec;

/// A node, to read it.
#[derive(Clone, Copy)]
pub struct Node<'t> {
    pub(super) tree: &'t Tree,
    pub(super) at: usize,
}

impl<'t> Node<'t> {
    /// Its id, which stays valid while the tree is edited.
    pub fn id(self) -> NodeId {
        NodeId(self.at)
    }

    /// Its name with unit address; the root's is empty.
    pub fn name(self) -> &'t str {
        core::str::from_utf8(self.tree.slice(self.tree.nodes[self.at].name)).unwrap_or("?")
    }

    /// A property's value.
    pub fn property(self, name: &str) -> Option<&'t [u8]> {
        let name = self.tree.names.find(name.as_bytes())?;
        let mut next = self.tree.nodes[self.at].properties;
        while let Some(index) = next {
            let property = &self.tree.properties[index];
            if property.name == name {
                return Some(self.tree.slice(property.value));
            }
            next = property.next;
        }
        None
    }

    /// First cell of a property.
    pub fn cell(self, name: &str) -> Option<u32> {
        cells(self.property(name)?).next()
    }

    /// Whether a property is exactly this string.
    pub fn is(self, name: &str, text: &str) -> bool {
        self.property(name).and_then(|value| value.strip_suffix(b"\0")) == Some(text.as_bytes())
    }

    /// Whether `compatible` contains this string.
    pub fn is_compatible(self, with: &str) -> bool {
        let value = self.property("compatible").unwrap_or_default();
        value.split(|&byte| byte == 0).any(|text| text == with.as_bytes())
    }

    /// Its children.
    pub fn children(self) -> impl Iterator<Item = Node<'t>> {
        let tree = self.tree;
        let mut next = tree.nodes[self.at].children;
        core::iter::from_fn(move || {
            let at = next?;
            next = tree.nodes[at].next;
            Some(Node { tree, at })
        })
    }
}

/// A node, to edit it. Setting a property that exists replaces it.
pub struct NodeMut<'t> {
    pub(super) tree: &'t mut Tree,
    pub(super) at: usize,
}

impl NodeMut<'_> {
    /// Its id.
    pub fn id(&self) -> NodeId {
        NodeId(self.at)
    }

    /// The same node, to read it.
    pub fn read(&self) -> Node<'_> {
        Node { tree: self.tree, at: self.at }
    }

    /// A child by its full name, made if it doesn't exist.
    pub fn child(&mut self, name: &str) -> NodeMut<'_> {
        let at = self.tree.find_or_add(self.at, name.as_bytes());
        NodeMut { tree: self.tree, at }
    }

    /// A child `name@address`, made if it doesn't exist.
    pub fn child_at(&mut self, name: &str, address: u64) -> NodeMut<'_> {
        let mut full = Vec::with_capacity(name.len() + 17);
        full.extend_from_slice(name.as_bytes());
        full.push(b'@');
        let digits = (64 - address.leading_zeros()).div_ceil(4).max(1);
        let digit = |place: u32| b"0123456789abcdef"[(address >> (4 * place)) as usize & 0xf];
        full.extend((0..digits).rev().map(digit));
        let at = self.tree.find_or_add(self.at, &full);
        NodeMut { tree: self.tree, at }
    }

    /// Its phandle: the one it has, else a new one.
    pub fn phandle(&mut self) -> Phandle {
        if let Some(phandle) = self.read().cell("phandle") {
            return Phandle(phandle);
        }
        let new = self.tree.next_phandle;
        self.tree.next_phandle += 1;
        self.set_cells("phandle", &[new]);
        Phandle(new)
    }

    // The setters that a hundred lines call are never inlined: the image has a limit.

    /// Sets a property to these bytes.
    #[inline(never)]
    pub fn set_bytes(&mut self, name: &str, value: &[u8]) -> &mut Self {
        let value = self.tree.push_bytes(value);
        self.tree.link_property(self.at, name.as_bytes(), value);
        self
    }

    /// Sets a property that has no value: it is there or not.
    pub fn set_empty(&mut self, name: &str) -> &mut Self {
        self.set_bytes(name, &[])
    }

    /// Sets a property to big-endian 32-bit cells.
    #[inline(never)]
    pub fn set_cells(&mut self, name: &str, value: &[u32]) -> &mut Self {
        let start = self.tree.bytes.len();
        self.tree.bytes.resize(start + size_of_val(value), 0);
        for (bytes, cell) in self.tree.bytes[start..].chunks_exact_mut(4).zip(value) {
            bytes.copy_from_slice(&cell.to_be_bytes());
        }
        self.link(name, start)
    }

    /// Sets a property to big-endian 64-bit numbers, two cells each.
    #[inline(never)]
    pub fn set_u64s(&mut self, name: &str, value: &[u64]) -> &mut Self {
        self.set_all(name, value.iter().map(|number| number.to_be_bytes()))
    }

    /// Sets a property to a string.
    #[inline(never)]
    pub fn set_string(&mut self, name: &str, value: &str) -> &mut Self {
        self.set_strings(name, [value])
    }

    /// Sets a property to a list of strings.
    pub fn set_strings<'s>(&mut self, name: &str, value: impl IntoIterator<Item = &'s str>) -> &mut Self {
        let start = self.tree.bytes.len();
        for text in value {
            self.tree.bytes.extend_from_slice(text.as_bytes());
            self.tree.bytes.push(0);
        }
        self.link(name, start)
    }

    /// Sets a property to what an iterator yields, one after another.
    pub fn set_all<const N: usize>(
        &mut self,
        name: &str,
        value: impl IntoIterator<Item = [u8; N]>,
    ) -> &mut Self {
        let start = self.tree.bytes.len();
        for item in value {
            self.tree.bytes.extend_from_slice(&item);
        }
        self.link(name, start)
    }

    #[inline(never)]
    fn link(&mut self, name: &str, start: usize) -> &mut Self {
        let value = Span { start, length: self.tree.bytes.len() - start };
        self.tree.link_property(self.at, name.as_bytes(), value);
        self
    }
}

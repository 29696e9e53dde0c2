//! `/chosen`: what the user asked for, handed on.

use crate::dt::read::cells;
use crate::dt::tree::Tree;

/// Console that `linux,stdout-path` names.
pub const CONSOLE: &str = "/ibm,opal/consoles/serial@0";

/// Keeps the command line, widens the initrd's addresses to 64 bits, names the console.
///
/// QEMU gives the addresses as one cell each; a reader that takes two cells for granted would read past them.
pub fn publish(tree: &mut Tree) {
    let mut chosen = tree.make("/chosen");
    for name in ["linux,initrd-start", "linux,initrd-end"] {
        if let Some(value) = chosen.read().property(name) {
            let address = cells(value).fold(0, |sum, cell| sum << 32 | u64::from(cell));
            chosen.set_u64s(name, &[address]);
        }
    }
    chosen.set_string("linux,stdout-path", CONSOLE);
    // Form 1 of `ibm,associativity` is in use; without it Linux takes all nodes for equally far.
    chosen.set_bytes("ibm,architecture-vec-5", &[5, 0, 0, 0, 0, 0x80, 0]);
}

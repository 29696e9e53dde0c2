//! Why a device can't do what it is asked: one byte, so that it costs nothing on the paths of calls.

use crate::error::{Error, why};

/// A failure of hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bridge is cut off from the bus.
    Fenced,
    /// The bridge is being reset.
    InReset,
    /// A reset of the bridge failed.
    Broken,
    /// The link is down on purpose.
    LinkDown,
    /// No such device can be.
    NoDevice,
    /// The queue of TCE kills takes nothing.
    KillQueue,
    /// A TCE kill doesn't end.
    Kill,
    /// In the bridge's present mode the window would lie, in part, on the other window's side. The OS's fault.
    OtherSide,
    /// DMA that began before a kill doesn't end.
    DmaSync,
}

/// What only hardware can make fail.
pub type Outcome<T = ()> = Result<T, Fault>;

impl From<Fault> for Error {
    #[cold]
    fn from(fault: Fault) -> Self {
        Self::Hardware(match fault {
            Fault::OtherSide => return Self::Parameter(why("the window isn't on its side of the selector")),
            Fault::Fenced => why("PHB fenced"),
            Fault::InReset => why("PHB in reset"),
            Fault::Broken => why("PHB broken"),
            Fault::LinkDown => why("link down during a reset"),
            Fault::NoDevice => why("bus 0 has the root port only"),
            Fault::KillQueue => why("TCE kill queue"),
            Fault::Kill => why("TCE kill"),
            Fault::DmaSync => why("DMA sync"),
        })
    }
}

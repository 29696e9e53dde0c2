//! DMA faults as records that the OS answers: `doc/dma-windows/faults.md`, on modelled bridges. And the error
//! interrupt, which tells the OS of a fault and of everything that is EEH's.

mod machine;
mod model;

#[path = "dma_faults/calls.rs"]
mod calls;
#[path = "dma_faults/eeh.rs"]
mod eeh;
#[path = "dma_faults/os.rs"]
mod os;
#[path = "dma_faults/owned.rs"]
mod owned;
#[path = "dma_faults/queue.rs"]
mod queue;
#[path = "dma_faults/resets.rs"]
mod resets;
#[path = "dma_faults/rounds.rs"]
mod rounds;

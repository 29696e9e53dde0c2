//! PAPR's dynamic DMA windows (`doc/dma-windows/ddw.md`), on modelled bridges whose devices move bytes.

mod calls;
#[path = "../payload/src/ddw_client.rs"]
mod client;
mod fixture;
#[path = "../machine/mod.rs"]
mod machine;
#[path = "../model/mod.rs"]
mod model;
mod oracle;
mod promise;
mod replay;
mod tree;
mod whole;
mod windows;

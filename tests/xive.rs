//! The XIVE driver on the register model: what boot writes, then each call through OPAL's dispatch.

#[path = "xive/arguments.rs"]
mod arguments;
#[path = "xive/boot.rs"]
mod boot;
#[path = "xive/chips.rs"]
mod chips;
#[path = "xive/hostile.rs"]
mod hostile;
#[path = "xive/machine.rs"]
mod machine;
#[path = "model/mod.rs"]
mod model;
#[path = "model/psi.rs"]
mod psi;
#[path = "xive/queues.rs"]
mod queues;
#[path = "xive/reset.rs"]
mod reset;
#[path = "xive/retries.rs"]
mod retries;
#[path = "xive/sources.rs"]
mod sources;
#[path = "xive/power9.rs"]
mod unit;
#[path = "xive/virtuals.rs"]
mod virtuals;
#[path = "model/xive.rs"]
mod xive;

//! The XIVE driver on the register model of POWER10's XIVE2: what boot writes, then each call through OPAL's dispatch.
//! The calls' tests are POWER9's; `unit` has what differs.

#[path = "xive/arguments.rs"]
mod arguments;
#[path = "xive2/boot.rs"]
mod boot;
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
#[path = "xive2/structures.rs"]
mod structures;
#[path = "xive2/power10.rs"]
mod unit;
#[path = "xive/virtuals.rs"]
mod virtuals;
#[path = "model/xive2.rs"]
mod xive;

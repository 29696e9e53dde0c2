//! PCI behind the bridges: what is there, with bus numbers that stay.

pub mod scan;

pub use scan::{Device, Kind, scan};

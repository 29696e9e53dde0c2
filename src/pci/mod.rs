//! PCI buses.

//! What a driver gets: real addresses and XSCOM space as `Mmio`.

use super::Xive;
use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;

/// A range of real addresses, as a driver sees it. Which device answers is decided at each access.
pub struct Window<R> {
    pub(super) xive: Xive<R>,
    pub(super) base: u64,
    pub(super) thread: Option<u32>,
}

impl<R> Clone for Window<R> {
    fn clone(&self) -> Self {
        Self { xive: self.xive.clone(), base: self.base, thread: self.thread }
    }
}

/// XSCOM space of the chip as far as this unit goes.
pub struct Scom<R>(pub(super) Xive<R>);

macro_rules! accesses {
    ($self:ident, $offset:ident, $load:expr, $store:expr) => {
        fn read8(&$self, $offset: u64) -> u8 { $load(1) as u8 }
        fn read16(&$self, $offset: u64) -> u16 { $load(2) as u16 }
        fn read32(&$self, $offset: u64) -> u32 { $load(4) as u32 }
        fn read64(&$self, $offset: u64) -> u64 { $load(8) }
        fn write8(&$self, $offset: u64, value: u8) { $store(1, u64::from(value)) }
        fn write16(&$self, $offset: u64, value: u16) { $store(2, u64::from(value)) }
        fn write32(&$self, $offset: u64, value: u32) { $store(4, u64::from(value)) }
        fn write64(&$self, $offset: u64, value: u64) { $store(8, value) }
    };
}

impl<R: Ram + Clone + 'static> Mmio for Window<R> {
    accesses!(
        self,
        offset,
        |size| {
            let value = self.xive.state().load(aligned(self.base + offset, size), size, self.thread);
            self.xive.deliver();
            value
        },
        |size, value| {
            self.xive.state().store(aligned(self.base + offset, size), size, self.thread, value);
            self.xive.deliver();
        }
    );
}

impl<R: Ram + Clone + 'static> Mmio for Scom<R> {
    accesses!(
        self,
        offset,
        |size| {
            assert_eq!(size, 8, "XSCOM: {size}-byte load: machine check");
            self.0.scom_read(aligned(offset, size) >> 3)
        },
        |size, value| {
            assert_eq!(size, 8, "XSCOM: {size}-byte store: machine check");
            self.0.scom_write(aligned(offset, size) >> 3, value)
        }
    );
}

fn aligned(address: u64, size: u32) -> u64 {
    assert_eq!(address % u64::from(size), 0, "XIVE: unaligned {size}-byte access at {address:#x}");
    address
}

//! Registers that only PHB3 has, or that it has elsewhere. `reference/phb-dma-windows.md` §3.4. The others are in
//! [`crate::phb::regs4`].

use crate::phb::regs4::{Reg, TrainCtl};

macro_rules! registers {
    ($($name:ident: $type:ty = $offset:literal, $manual:literal;)*) => { $(
        #[doc = concat!($manual, ".")]
        #[doc(alias = $manual)]
        pub const $name: Reg<$type> = Reg::at($offset);
    )* };
}
registers! {
    IVT_BAR: u64 = 0x150, "PHB_IVT_BAR";
    RBA_BAR: u64 = 0x158, "PHB_RBA_BAR";
    CONFIG: u64 = 0x160, "PHB_PHB3_CONFIG";
    M32_BASE: u64 = 0x190, "PHB_M32_BASE_ADDR";
    M32_MASK: u64 = 0x198, "PHB_M32_BASE_MASK";
    INTREP_TIMER: u64 = 0x1f8, "PHB_INTREP_TIMER";
    FFI_REQUEST: u64 = 0x238, "PHB_FFI_REQUEST";
    FFI_LOCK: u64 = 0x240, "PHB_FFI_LOCK";
    IVC_INVALIDATE: u64 = 0x2a0, "PHB_IVC_INVALIDATE";
    IVC_UPDATE: u64 = 0x2a8, "PHB_IVC_UPDATE";
    AGENT_STATUS: u64 = 0x410, "UTL_SYS_BUS_AGENT_STATUS";
    AGENT_SEVERITY: u64 = 0x418, "UTL_SYS_BUS_AGENT_ERR_SEVERITY";
    AGENT_INTERRUPTS: u64 = 0x420, "UTL_SYS_BUS_AGENT_IRQ_EN";
    PORT_CONTROL: u64 = 0x540, "UTL_PCIE_PORT_CONTROL";
    PORT_STATUS: u64 = 0x548, "UTL_PCIE_PORT_STATUS";
    PORT_SEVERITY: u64 = 0x550, "UTL_PCIE_PORT_ERROR_SEV";
    PORT_INTERRUPTS: u64 = 0x558, "UTL_PCIE_PORT_IRQ_EN";
    ROOT_STATUS: u64 = 0x560, "UTL_RC_STATUS";
    SYSTEM_CONFIG: u64 = 0x600, "PHB_PCIE_SYSTEM_CONFIG";
    DLP_TRAIN_CTL: TrainCtl = 0x640, "PHB_PCIE_DLP_TRAIN_CTL";
    SYS_LINK_INIT: u64 = 0x668, "PHB_PCIE_SYS_LINK_INIT";
    RESET: u64 = 0x808, "PHB_RESET";
    HOTPLUG_OVERRIDE: u64 = 0xfb0, "PHB_HOTPLUG_OVERRIDE";
}

//! Names of the OPAL tokens that Linux calls; numbers as in its `opal-api.h`.

/// Stops the machine; a boot that ends well ends with it.
pub const CEC_POWER_DOWN: u64 = 5;
/// Config space, one byte read.
pub const PCI_CONFIG_READ_BYTE: u64 = 13;
/// Config space, two bytes read.
pub const PCI_CONFIG_READ_HALF_WORD: u64 = 14;
/// Config space, four bytes read.
pub const PCI_CONFIG_READ_WORD: u64 = 15;
/// Config space, one byte written.
pub const PCI_CONFIG_WRITE_BYTE: u64 = 16;
/// Config space, two bytes written.
pub const PCI_CONFIG_WRITE_HALF_WORD: u64 = 17;
/// Config space, four bytes written.
pub const PCI_CONFIG_WRITE_WORD: u64 = 18;
/// Whether a PE is frozen.
pub const PCI_EEH_FREEZE_STATUS: u64 = 23;
/// Resets a slot or tables.
pub const PCI_RESET: u64 = 49;
/// Requester ids to PE.
pub const PCI_SET_PE: u64 = 31;
/// A TCE table into a window.
pub const PCI_MAP_PE_DMA_WINDOW: u64 = 44;
/// A bypass window.
pub const PCI_MAP_PE_DMA_WINDOW_REAL: u64 = 45;
/// TCE invalidation.
pub const PCI_TCE_KILL: u64 = 126;

/// Number and name in turn.
const NAMES: &str = "\
    0 TEST 1 CONSOLE_WRITE 2 CONSOLE_READ 3 RTC_READ 4 RTC_WRITE 5 CEC_POWER_DOWN 6 CEC_REBOOT 7 READ_NVRAM \
    8 WRITE_NVRAM 9 HANDLE_INTERRUPT 10 POLL_EVENTS 13 PCI_CONFIG_READ_BYTE 14 PCI_CONFIG_READ_HALF_WORD \
    15 PCI_CONFIG_READ_WORD 16 PCI_CONFIG_WRITE_BYTE 17 PCI_CONFIG_WRITE_HALF_WORD 18 PCI_CONFIG_WRITE_WORD \
    19 SET_XIVE 20 GET_XIVE 22 REGISTER_OPAL_EXCEPTION_HANDLER 23 PCI_EEH_FREEZE_STATUS \
    25 CONSOLE_WRITE_BUFFER_SPACE 26 PCI_EEH_FREEZE_CLEAR 27 PCI_PHB_MMIO_ENABLE 28 PCI_SET_PHB_MEM_WINDOW \
    29 PCI_MAP_PE_MMIO_WINDOW 31 PCI_SET_PE 32 PCI_SET_PELTV 37 PCI_SET_XIVE_PE 39 GET_MSI_32 40 GET_MSI_64 \
    41 START_CPU 42 QUERY_CPU_STATUS 44 PCI_MAP_PE_DMA_WINDOW 45 PCI_MAP_PE_DMA_WINDOW_REAL 49 PCI_RESET \
    50 PCI_GET_HUB_DIAG_DATA 53 PCI_REINIT 56 GET_EPOW_STATUS 60 PCI_NEXT_ERROR 62 PCI_POLL 63 PCI_MSI_EOI \
    64 PCI_GET_PHB_DIAG_DATA2 65 XSCOM_READ 66 XSCOM_WRITE 67 LPC_READ 68 LPC_WRITE 69 RETURN_CPU 70 REINIT_CPUS \
    71 ELOG_READ 73 ELOG_ACK 74 ELOG_RESEND 75 ELOG_SIZE 76 FLASH_VALIDATE 77 FLASH_MANAGE 78 FLASH_UPDATE \
    79 RESYNC_TIMEBASE 80 CHECK_TOKEN 81 DUMP_INIT 82 DUMP_INFO 83 DUMP_READ 84 DUMP_ACK 85 GET_MSG \
    86 CHECK_ASYNC_COMPLETION 87 SYNC_HOST_REBOOT 88 SENSOR_READ 89 GET_PARAM 90 SET_PARAM 91 DUMP_RESEND \
    93 PCI_SET_PHB_CAPI_MODE 94 DUMP_INFO2 95 WRITE_OPPANEL_ASYNC 96 PCI_ERR_INJECT 97 PCI_EEH_FREEZE_SET \
    98 HANDLE_HMI 99 CONFIG_CPU_IDLE_STATE 100 SLW_SET_REG 101 REGISTER_DUMP_REGION 102 UNREGISTER_DUMP_REGION \
    103 WRITE_TPO 104 READ_TPO 105 GET_DPO_STATUS 107 IPMI_SEND 108 IPMI_RECV 109 I2C_REQUEST 110 FLASH_READ \
    111 FLASH_WRITE 112 FLASH_ERASE 113 PRD_MSG 114 LEDS_GET_INDICATOR 115 LEDS_SET_INDICATOR 116 CEC_REBOOT2 \
    117 CONSOLE_FLUSH 118 GET_DEVICE_TREE 119 PCI_GET_PRESENCE_STATE 120 PCI_GET_POWER_STATE \
    121 PCI_SET_POWER_STATE 122 INT_GET_XIRR 123 INT_SET_CPPR 124 INT_EOI 125 INT_SET_MFRR 126 PCI_TCE_KILL \
    127 NMMU_SET_PTCR 128 XIVE_RESET 129 XIVE_GET_IRQ_INFO 130 XIVE_GET_IRQ_CONFIG 131 XIVE_SET_IRQ_CONFIG \
    132 XIVE_GET_QUEUE_INFO 133 XIVE_SET_QUEUE_INFO 134 XIVE_DONATE_PAGE 135 XIVE_ALLOCATE_VP_BLOCK \
    136 XIVE_FREE_VP_BLOCK 137 XIVE_GET_VP_INFO 138 XIVE_SET_VP_INFO 139 XIVE_ALLOCATE_IRQ 140 XIVE_FREE_IRQ \
    141 XIVE_SYNC 142 XIVE_DUMP 143 XIVE_GET_QUEUE_STATE 144 XIVE_SET_QUEUE_STATE 145 SIGNAL_SYSTEM_RESET \
    149 IMC_COUNTERS_INIT 150 IMC_COUNTERS_START 151 IMC_COUNTERS_STOP 158 QUIESCE 162 SENSOR_READ_U64 \
    166 HANDLE_HMI2 170 XIVE_GET_VP_STATE 173 MPIPL_UPDATE 174 MPIPL_REGISTER_TAG 175 MPIPL_QUERY_TAG \
    176 SECVAR_GET 177 SECVAR_GET_NEXT 178 SECVAR_ENQUEUE_UPDATE 179 PHB_SET_OPTION 180 PHB_GET_OPTION";

/// A token's name, or `?`.
pub fn name(token: u64) -> &'static str {
    let mut words = NAMES.split_whitespace();
    while let (Some(number), Some(name)) = (words.next(), words.next()) {
        if number.parse() == Ok(token) {
            return name;
        }
    }
    "?"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_and_words_in_rising_order() {
        let words: Vec<_> = NAMES.split_whitespace().collect();
        let numbers: Vec<u64> = words.iter().step_by(2).map(|word| word.parse().unwrap()).collect();
        assert!(words.len().is_multiple_of(2));
        assert!(numbers.is_sorted_by(|a, b| a < b));
        assert!(words.iter().skip(1).step_by(2).all(|word| word.parse::<u64>().is_err()));
    }

    #[test]
    fn finds_the_calls_that_have_limits() {
        assert_eq!(name(PCI_MAP_PE_DMA_WINDOW_REAL), "PCI_MAP_PE_DMA_WINDOW_REAL");
        assert_eq!(name(PCI_TCE_KILL), "PCI_TCE_KILL");
        assert_eq!(name(PCI_SET_PE), "PCI_SET_PE");
        assert_eq!(name(PCI_CONFIG_WRITE_WORD), "PCI_CONFIG_WRITE_WORD");
        assert_eq!(name(u64::MAX), "?");
    }
}

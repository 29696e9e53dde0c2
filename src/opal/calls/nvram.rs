//! NVRAM: 7, 8.

use crate::error::Result;
use crate::firmware::Firmware;
use crate::opal::args::Args;
use crate::opal::table::SUCCESS;
use crate::services::nvram;

/// 7 READ_NVRAM(buffer, size, offset). PARAMETER when size and offset aren't wholly inside the store, then when the
/// buffer is bad; a zero size needs none.
pub fn read(fw: &Firmware, args: &Args) -> Result<i64> {
    let (size, offset) = (args.u64::<1>(), args.u64::<2>());
    if !nvram::range(offset, size)?.is_empty() {
        fw.services.nvram.read(&fw.ram, args.buffer::<0>(fw, size)?, offset)?;
    }
    Ok(SUCCESS)
}

/// 8 WRITE_NVRAM(buffer, size, offset). Checked as the read is.
pub fn write(fw: &Firmware, args: &Args) -> Result<i64> {
    let (size, offset) = (args.u64::<1>(), args.u64::<2>());
    if !nvram::range(offset, size)?.is_empty() {
        fw.services.nvram.write(&fw.ram, args.buffer::<0>(fw, size)?, offset)?;
    }
    Ok(SUCCESS)
}

//! What the calls cost, in guest instructions from the branch into firmware to the return, as the processor's PMC5 counts
//! them.

use super::{BOTH, Calls, LIOBN};
use crate::cases::windows::{PE, join};
use crate::cases::{Bench, Outcome, equal, status};
use crate::edu::Edu;
use crate::machine::{memory, store};
use crate::opal;
use crate::println;

/// Costs, and how many were too high.
#[derive(Default)]
struct Costs(u64);

impl Costs {
    /// Instructions of the last call.
    fn cost(&mut self, what: &str, most: u64) -> u64 {
        let taken = opal::instructions();
        println!("COST {what}: {taken} of {most}");
        self.0 += u64::from(taken > most);
        taken
    }
}

pub fn run(bench: &mut Bench, calls: &Calls<'_>) {
    opal::count_instructions();
    bench.case(format_args!("owned tables, what the calls cost"), |bench| costs(calls, &bench.first));
}

/// Call 44 costs the same however large the window is.
fn standard_windows(edu: &Edu, costs: &mut Costs) -> Outcome {
    let mut taken = [0; 2];
    for ((levels, bytes, what), taken) in
        [(1, 4096, "PCI_MAP_PE_DMA_WINDOW, 2 MiB"), (3, 1 << 16, "PCI_MAP_PE_DMA_WINDOW, 2 PiB")]
            .into_iter()
            .zip(&mut taken)
    {
        let table = memory(bytes, bytes);
        let args = [edu.device.phb.id, PE, PE * 2, levels, table, bytes, 4096];
        status("MAP_PE_DMA_WINDOW", opal::call(opal::MAP_WINDOW, &args), 0)?;
        *taken = costs.cost(what, 200);
        let closed = [edu.device.phb.id, PE, PE * 2, 0, 0, 0, 0];
        status("MAP_PE_DMA_WINDOW with size 0", opal::call(opal::MAP_WINDOW, &closed), 0)?;
    }
    equal("instructions more for a larger window, over 10", taken[1].saturating_sub(taken[0] + 10), 0)
}

fn costs(calls: &Calls<'_>, edu: &Edu) -> Outcome {
    join(edu, PE)?;
    opal::call(opal::CHECK_TOKEN, &[44]);
    equal("PMC5 stands still", u64::from(opal::instructions() == 0), 0)?;
    let mut costs = Costs::default();
    standard_windows(edu, &mut costs)?;
    let handle = calls.create(16, 0, 1 << 44)?;
    costs.cost("table-create, 16 TiB of 64 KiB pages", 20_000);
    calls.set(edu, 1, handle, 0)?;
    costs.cost("window-set", 1000);
    let frames = memory(2 << 16, 1 << 16);
    calls.map(handle, 0x123_4567_0000, 1, frames, BOTH, 0)?;
    costs.cost("table-map, one page with two new levels", 1500);
    calls.map(handle, 0x123_4568_0000, 1, frames, BOTH, 0)?;
    costs.cost("table-map, one page", 950);
    calls.unmap(handle, 0x123_4568_0000, 1, 0)?;
    costs.cost("table-unmap, one page", 700);
    calls.unset(edu, 1)?;
    costs.cost("window-unset", 1000);
    calls.destroy(handle)?;

    // Runs in a table whose levels are there: 512 and 4096 pages of the same memory of 4 KiB pages.
    let handle = calls.create(12, 1, 1 << 26)?;
    calls.set(edu, 0, handle, 0)?;
    let run = memory(16 << 20, 1 << 16);
    let mut taken = [0; 2];
    for (pages, taken) in [512, 4096].into_iter().zip(&mut taken) {
        calls.map(handle, 0, pages, run, BOTH, 0)?;
        *taken =
            costs.cost(if pages == 512 { "table-map, 512 pages" } else { "table-map, 4096 pages" }, 60_000);
    }
    equal("instructions a page over 12", ((taken[1] - taken[0]) / (4096 - 512)).saturating_sub(12), 0)?;
    calls.unmap(handle, 0, 4096, 0)?;
    costs.cost("table-unmap, 4096 pages", 60_000);
    status("liobn-bind", calls.named("liobn-bind", &[LIOBN, handle, 0]), 0)?;
    status("put-tce", calls.named("put-tce", &[LIOBN, 0x5000, frames | 3]), 0)?;
    costs.cost("put-tce", 900);
    let list = memory(4096, 4096);
    (0..512).for_each(|entry| store(list + 8 * entry, run + (entry << 12) | 3));
    status("put-tce-indirect", calls.named("put-tce-indirect", &[LIOBN, 0, list, 512]), 0)?;
    costs.cost("put-tce-indirect, 512 entries", 45_000);
    status("stuff-tce", calls.named("stuff-tce", &[LIOBN, 0, 0, 512]), 0)?;
    costs.cost("stuff-tce, 512 entries", 10_000);
    status("get-tce", calls.named("get-tce", &[LIOBN, 0, list]), 0)?;
    costs.cost("get-tce", 350);
    status("liobn-unbind", calls.named("liobn-unbind", &[LIOBN]), 0)?;
    calls.unset(edu, 0)?;
    calls.destroy(handle)?;
    equal("costs that are too high", costs.0, 0)
}

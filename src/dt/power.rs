//! `/ibm,opal/power-mgt`: the frequencies of the cores. The idle states are in `opal.rs`.

use crate::dt::tree::Tree;
use crate::hw::occ::Pstates;

/// Publishes the pstates: Linux's cpufreq driver sets them by itself through PMCR.
pub fn publish_pstates(tree: &mut Tree, pstates: &Pstates) {
    let mut node = tree.make("/ibm,opal/power-mgt");
    node.set_all("ibm,pstate-ids", pstates.steps.iter().map(|&(id, _)| u32::from(id).to_be_bytes()));
    let mhz = pstates.steps.iter().map(|&(_, khz)| (khz / 1000).to_be_bytes());
    node.set_all("ibm,pstate-frequencies-mhz", mhz);
    for (name, id) in [
        ("ibm,pstate-min", pstates.min),
        ("ibm,pstate-nominal", pstates.nominal),
        ("ibm,pstate-max", pstates.ultra_turbo),
        ("ibm,pstate-turbo", pstates.turbo),
        ("ibm,pstate-ultra-turbo", pstates.ultra_turbo),
    ] {
        node.set_cells(name, &[u32::from(id)]);
    }
}

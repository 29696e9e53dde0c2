//! What the tree says.

use crate::fixture::{CREATE, QUERY, REMOVE, RESET};
use opalite::dt::ddw;
use opalite::dt::tree::Tree;

#[test]
fn a_bridge_and_rtas_name_the_same_tokens() {
    let mut tree = Tree::new();
    let node = tree.make("/pciex@600c3c0000000").id();
    ddw::publish_bridge(&mut tree, node, 3, true);
    ddw::publish_rtas(&mut tree, &ddw::Rtas { page: 0x3eff_0000..0x3f00_0000, entry: 0x3eff_0020 });
    let blob = tree.to_blob(opalite::units::Pir(0));
    let tree = fdt::Fdt::new(&blob).unwrap();
    let cells = |path: &str, name: &str| -> Vec<u32> {
        let property = tree.find_node(path).unwrap().property(name).unwrap();
        property.value.chunks(4).map(|cell| u32::from_be_bytes(cell.try_into().unwrap())).collect()
    };
    let bridge = "/pciex@600c3c0000000";
    assert_eq!(cells(bridge, "ibm,dma-window"), [0x8003_0000, 0, 0, 0, 0x4000_0000]);
    assert_eq!(cells(bridge, "ibm,#dma-address-cells"), [2]);
    assert_eq!(cells(bridge, "ibm,#dma-size-cells"), [2]);
    assert_eq!(cells(bridge, "ibm,ddw-applicable"), [QUERY, CREATE, REMOVE]);
    assert_eq!(cells(bridge, "ibm,ddw-extensions"), [3, RESET, 1, 1]);
    let names = [
        ("ibm,query-pe-dma-window", QUERY),
        ("ibm,create-pe-dma-window", CREATE),
        ("ibm,remove-pe-dma-window", REMOVE),
        ("ibm,reset-pe-dma-windows", RESET),
    ];
    for (name, token) in names {
        assert_eq!(cells(ddw::RTAS, name), [token]);
    }
    // What Linux and kexec-tools look for: all three, or they take RTAS for broken.
    assert_eq!(cells(ddw::RTAS, "linux,rtas-base"), [0x3eff_0000]);
    assert_eq!(cells(ddw::RTAS, "linux,rtas-entry"), [0x3eff_0020]);
    assert_eq!(cells(ddw::RTAS, "rtas-size"), [0x1_0000]);
    assert_eq!(cells(ddw::RTAS, "rtas-error-log-max"), [1024]);
    assert_eq!(cells(ddw::RTAS, "rtas-version"), [1]);
    // With this one Linux would take the machine for a guest.
    assert!(tree.find_node(ddw::RTAS).unwrap().property("ibm,hypertas-functions").is_none());
}

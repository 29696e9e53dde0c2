//! Tables that firmware owns, by Opalite's own calls, on modelled bridges: `doc/dma-windows.md` is what they are judged by.

#[path = "owned_tables/bypass.rs"]
mod bypass;
#[path = "owned_tables/calls.rs"]
mod calls;
#[path = "owned_tables/client.rs"]
mod client;
#[path = "owned_tables/failures.rs"]
mod failures;
#[path = "owned_tables/liobns.rs"]
mod liobns;
mod machine;
mod model;
#[path = "owned_tables/pool.rs"]
mod pool;
#[path = "owned_tables/random.rs"]
mod random;
#[path = "owned_tables/resets.rs"]
mod resets;
#[path = "owned_tables/sharing.rs"]
mod sharing;
#[path = "owned_tables/tables.rs"]
mod tables;

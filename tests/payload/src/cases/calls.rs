//! Calls that must be refused, and calls in bulk.

use super::{Bench, status};
use crate::opal;

/// Runs them.
pub fn run(bench: &mut Bench) {
    bench.case(format_args!("an unknown token is refused"), |_| {
        status("token 46", opal::call(46, &[]), opal::PARAMETER)?;
        status("CHECK_TOKEN 46", opal::call(opal::CHECK_TOKEN, &[46]), 0)?;
        status("CHECK_TOKEN 44", opal::call(opal::CHECK_TOKEN, &[44]), 1)
    });
}

//! What one implementation computes, as a file.

use mlp_parity::SafetensorsFile;
use mlp_parity_compare::check::Trace;

use super::check::case;
use crate::args::values::{FRAMEWORK, FROM_SCRATCH};
use crate::args::{ImplementationName, TraceOptions};
use crate::error::Result;
use crate::implementation;
use crate::output::writable::writable;

pub(crate) fn run(options: &TraceOptions) -> Result<u8> {
    let of_the_report = match options.implementation {
        ImplementationName::Scratch => FROM_SCRATCH,
        ImplementationName::Framework => FRAMEWORK,
    };
    implementation::check_activation(options.network.activation)?;
    let plans = options.plan.plans(&[of_the_report])?;
    let participant = implementation::named(options.implementation, &options.framework, options.network.activation)?;
    writable(&options.output)?;
    let case = case(&options.network, &options.plan, &plans, options.data.as_ref())?;
    Trace::record(&case, &participant, usize::from(options.steps))?.save(&options.output)?;
    Ok(0)
}

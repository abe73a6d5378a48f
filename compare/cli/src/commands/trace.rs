//! What one implementation computes, as a file.

use mlp_parity::SafetensorsFile;
use mlp_parity_compare::check::Trace;

use super::check::case;
use crate::args::values::{ADAM, SGD};
use crate::args::{ImplementationName, TraceOptions};
use crate::error::Result;
use crate::implementation;
use crate::output::writable::writable;

pub(crate) fn run(options: &TraceOptions) -> Result<u8> {
    let of_the_report = match options.implementation {
        ImplementationName::Scratch => SGD,
        ImplementationName::Framework => ADAM,
    };
    implementation::check_activation(options.network.activation)?;
    let trainings = options.training.trainings(&[of_the_report])?;
    let candidate = implementation::named(options.implementation, &options.framework, options.network.activation)?;
    writable(&options.output)?;
    let case = case(&options.network, &options.training, &trainings, options.data.as_ref())?;
    Trace::record(&case, &candidate, usize::from(options.steps))?.save(&options.output)?;
    Ok(0)
}

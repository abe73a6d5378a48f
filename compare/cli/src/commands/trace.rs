//! `compare trace`: records what one implementation computes on a few batches in a trace file.

use mlp_parity::SafetensorsFile;
use mlp_parity_compare::check::Trace;

use super::check::case;
use crate::args::values::{ADAM, SGD};
use crate::args::{ImplementationName, TraceOptions};
use crate::error::Result;
use crate::implementation;
use crate::input::source::Source;
use crate::output::folder;

/// Runs `compare trace` and returns the exit code.
pub(crate) fn run(options: &TraceOptions) -> Result<u8> {
    let report_default = match options.implementation {
        ImplementationName::Scratch => SGD,
        ImplementationName::Framework => ADAM,
    };
    let trainings = options.training.trainings(&[report_default])?;
    let candidate = implementation::selected(options.implementation, &options.framework)?;
    folder::check_output_file(&options.output, None)?;
    let initial = options.initial.network(options.network.activation, false)?;
    let images = options.data.as_ref().map(Source::load).transpose()?.map(|images| images.train);
    let case = case(&options.network, initial, &options.training, &trainings, images)?;
    Trace::record(&case, &candidate, usize::from(options.steps))?.save(&options.output)?;
    Ok(0)
}

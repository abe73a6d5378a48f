//! Plots as SVG and PNG files; some also have their values in a CSV file.

mod canvas;
mod classes;
mod cost;
mod divergence;
mod inputs;
mod losses;
mod panels;

use std::path::Path;

use mlp_parity::Dataset;
use mlp_parity_compare::Run;
use mlp_parity_compare::record::RunRecord;

pub(crate) use canvas::Layout;
pub(crate) use cost::write_cost;
pub(crate) use divergence::{divergence_figures, write_divergence};
pub(crate) use inputs::write_inputs;
pub(crate) use losses::Losses;

use crate::error::Result;

/// Writes the plots of runs with one training configuration and one seed: the training losses, `TRAINING.losses.svg`
/// and `.png`, and the plots of [`classes`].
///
/// If there is only one run, the names of its files begin with `TRAINING.CANDIDATE`, so that other candidates can be
/// plotted into the same folder.
pub(crate) fn write_trained(test: &Dataset, training: &str, runs: &[&Run], folder: &Path) -> Result<()> {
    let prefix = match runs {
        [run] => format!("{training}.{}", run.record.identity).replace('/', "-"),
        _ => training.to_owned(),
    };
    let records: Vec<&RunRecord> = runs.iter().map(|run| &run.record).collect();
    if records.iter().any(|record| !record.epochs.is_empty()) {
        Losses::from_runs(format!("{prefix}.losses"), &records).write(folder)?;
    }
    classes::write_classes(test, training, &prefix, runs, folder)
}

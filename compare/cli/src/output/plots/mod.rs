//! Plots, as SVG and PNG, with the values in a CSV file beside them.

mod canvas;
mod classes;
mod cost;
mod divergence;
mod losses;
mod panels;

use std::path::Path;

use mlp_parity::Dataset;
use mlp_parity_compare::Run;
use mlp_parity_compare::record::RunRecord;

pub(crate) use cost::cost;
pub(crate) use divergence::divergence;
pub(crate) use losses::Losses;

use crate::error::Result;

/// Everyone who was trained under a training: how the training loss fell, `PLAN.losses.svg` and `.png`, and who takes what for what,
/// as [`classes`] names it. Of one candidate alone all names begin with `PLAN.PARTICIPANT`, so that others may come into the same
/// folder.
pub(crate) fn trained(test: &Dataset, training: &str, runs: &[&Run], folder: &Path) -> Result<()> {
    let whose = match runs {
        [run] => format!("{training}.{}", run.record.identity).replace('/', "-"),
        _ => training.to_owned(),
    };
    let records: Vec<&RunRecord> = runs.iter().map(|run| &run.record).collect();
    if records.iter().any(|record| !record.epochs.is_empty()) {
        Losses::of_runs(format!("{whose}.losses"), &records).write(folder)?;
    }
    classes::classes(test, training, &whose, runs, folder)
}

//! Plot of the training time per image against batch size, layer width and number of threads.

use std::path::Path;

use mlp_parity_compare::bench::Cost;

use super::canvas::{Layout, write};
use super::panels::{Line, Panel, Panels};
use crate::error::Result;
use crate::output::csv_file;
use crate::output::grouped::grouped;

/// Writes the training time per image as a plot (`cost.svg` and `cost.png`, with one panel per quantity that was
/// varied) and as a table (`cost.csv`).
pub(crate) fn write_cost(costs: &[Cost], folder: &Path) -> Result<()> {
    let header = ["axis", "value", "candidate", "microseconds_per_image", "minimum", "maximum"].map(str::to_owned);
    let rows = costs.iter().map(|Cost { axis, value, name, microseconds }| {
        let times = [microseconds.median, microseconds.minimum, microseconds.maximum];
        let [median, minimum, maximum] = times.map(|time| format!("{time:.3}"));
        vec![axis.to_string(), value.to_string(), name.clone(), median, minimum, maximum]
    });
    csv_file::write(&folder.join("cost.csv"), std::iter::once(header.to_vec()).chain(rows))?;
    let panels = grouped(costs, |cost| cost.axis).into_iter().map(|costs| Panel {
        caption: format!("training cost by {}", costs[0].axis),
        x_label: costs[0].axis.name(),
        x_base: 2.0,
        y_label: "training time per image, µs",
        lines: grouped(costs, |cost| cost.name.clone()).iter().map(|costs| line(costs)).collect(),
    });
    write(&Panels { panels: panels.collect(), layout: Layout::File }, folder, "cost")
}

fn line(costs: &[&Cost]) -> Line {
    Line {
        name: costs[0].name.clone(),
        is_in_background: costs[0].is_dense_floor(),
        points: costs.iter().map(|cost| (cost.value as f64, cost.microseconds.median)).collect(),
    }
}

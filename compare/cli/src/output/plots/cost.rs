//! Plot of the training time per image against batch size, layer width and number of threads.

use std::path::Path;

use mlp_parity::storage::write_atomically;
use mlp_parity_compare::bench::Cost;

use super::canvas::write;
use super::panels::{Line, Panel, Panels};
use crate::error::Result;
use crate::output::grouped::grouped;

/// Writes the training time per image as a plot (`cost.svg` and `cost.png`, with one panel per quantity that was
/// varied) and as a table (`cost.csv`).
pub(crate) fn write_cost(costs: &[Cost], folder: &Path) -> Result<()> {
    let mut table = "axis,value,candidate,microseconds_per_image,minimum,maximum\n".to_owned();
    for Cost { axis, value, name, microseconds } in costs {
        let [median, minimum, maximum] = [microseconds.median, microseconds.minimum, microseconds.maximum];
        table += &format!("{axis},{value},{name},{median:.3},{minimum:.3},{maximum:.3}\n");
    }
    write_atomically(&folder.join("cost.csv"), table.as_bytes())?;
    let panels = grouped(costs, |cost| cost.axis).into_iter().map(|costs| Panel {
        caption: format!("training cost by {}", costs[0].axis),
        x_label: costs[0].axis.name(),
        y_label: "training time per image, µs",
        lines: grouped(costs, |cost| cost.name.clone()).iter().map(|costs| line(costs)).collect(),
    });
    write(&Panels(panels.collect()), folder, "cost")
}

fn line(costs: &[&Cost]) -> Line {
    Line {
        name: costs[0].name.clone(),
        is_in_background: costs[0].is_dense_floor(),
        points: costs.iter().map(|cost| (cost.value as f64, cost.microseconds.median)).collect(),
    }
}

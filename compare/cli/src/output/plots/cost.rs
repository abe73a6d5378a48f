//! How the cost of training grows.

use std::path::Path;

use mlp_parity::storage::write_atomically;
use mlp_parity_compare::bench::Cost;

use super::canvas::write;
use super::panels::{Line, Panel, Panels};
use crate::error::Result;
use crate::output::grouped::grouped;

/// Writes `cost.csv`, `cost.svg` and `cost.png`: one panel for what grows.
pub(crate) fn cost(costs: &[Cost], folder: &Path) -> Result<()> {
    let mut table = "what,value,implementation,microseconds per image,least,most\n".to_owned();
    for Cost { axis, at, name, microseconds } in costs {
        let [median, least, most] = [microseconds.median, microseconds.minimum, microseconds.maximum];
        table += &format!("{axis},{at},{name},{median:.3},{least:.3},{most:.3}\n");
    }
    write_atomically(&folder.join("cost.csv"), table.as_bytes())?;
    let panels = grouped(costs, |cost| cost.axis).into_iter().map(|costs| Panel {
        caption: format!("by {}", costs[0].axis),
        across: costs[0].axis.name(),
        up: "µs of training for each image",
        lines: grouped(costs, |cost| cost.name.clone()).iter().map(|costs| line(costs)).collect(),
    });
    write(&Panels(panels.collect()), folder, "cost")
}

fn line(costs: &[&Cost]) -> Line {
    Line {
        name: costs[0].name.clone(),
        is_in_background: costs[0].is_floor(),
        points: costs.iter().map(|cost| (cost.at as f64, cost.microseconds.median)).collect(),
    }
}

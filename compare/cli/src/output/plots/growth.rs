//! How far apart networks drift in training.

use std::path::Path;

use mlp_parity::storage::write_atomically;
use mlp_parity_compare::training::growth::Drift;

use super::canvas::write;
use super::panels::{Line, Panel, Panels};
use crate::error::Result;
use crate::output::grouped::grouped;

/// Writes `growth.csv`, `growth.svg` and `growth.png`: one panel for each plan.
pub(crate) fn growth(drifts: &[Drift], folder: &Path) -> Result<()> {
    let mut table = "plan,implementation,step,distance\n".to_owned();
    for Drift { plan, name, step, distance, .. } in drifts {
        table += &format!("{plan},{name},{step},{distance:e}\n");
    }
    write_atomically(&folder.join("growth.csv"), table.as_bytes())?;
    // On a logarithmic scale there is no zero: who is equal to the bit has no line.
    let drifts: Vec<&Drift> =
        drifts.iter().filter(|drift| drift.distance > 0.0 && drift.distance.is_finite()).collect();
    if drifts.is_empty() {
        return Ok(());
    }
    let panels = grouped(drifts, |drift| drift.plan.clone()).into_iter().map(|drifts| Panel {
        caption: format!("plan {}", drifts[0].plan),
        across: "training step",
        up: "distance from scratch, |θ − θ₁| / |θ₁|",
        lines: grouped(drifts, |drift| drift.name.clone()).iter().map(|drifts| line(drifts)).collect(),
    });
    write(&Panels(panels.collect()), folder, "growth")
}

fn line(drifts: &[&Drift]) -> Line {
    Line {
        name: drifts[0].name.clone(),
        is_in_background: drifts[0].is_twin,
        points: drifts.iter().map(|drift| (drift.step as f64, drift.distance)).collect(),
    }
}

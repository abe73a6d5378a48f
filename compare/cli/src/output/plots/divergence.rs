//! Plot of the divergence: the relative distance between the parameters of two candidates over the steps of training.

use std::path::Path;

use mlp_parity_compare::training::divergence::Divergence;

use super::canvas::{Layout, svg, write};
use super::panels::{Line, Panel, Panels};
use crate::error::Result;
use crate::output::csv_file;
use crate::output::grouped::grouped;

/// Writes the divergence from the first candidate as a plot (`divergence.svg` and `divergence.png`, one panel per
/// training configuration) and as a table (`divergence.csv`). If no candidate diverges, only the table is
/// written.
pub(crate) fn write_divergence(divergences: &[Divergence], folder: &Path) -> Result<()> {
    let header = ["training", "candidate", "step", "distance"].map(str::to_owned);
    let rows = divergences.iter().map(|Divergence { training, name, step, distance, .. }| {
        vec![training.clone(), name.clone(), step.to_string(), format!("{distance:e}")]
    });
    csv_file::write(&folder.join("divergence.csv"), std::iter::once(header.to_vec()).chain(rows))?;
    let panels = panels(divergences);
    if panels.is_empty() { Ok(()) } else { write(&Panels { panels, layout: Layout::File }, folder, "divergence") }
}

/// Returns the name and the plot, as SVG text, of each training configuration with which a candidate diverges.
pub(crate) fn divergence_figures(divergences: &[Divergence], layout: Layout) -> Result<Vec<(String, String)>> {
    let trainings = grouped(divergences, |divergence| divergence.training.clone());
    let figure = |divergences: Vec<&Divergence>| {
        let panels = panels(divergences.iter().copied());
        (!panels.is_empty()).then(|| Ok((divergences[0].training.clone(), svg(&Panels { panels, layout })?)))
    };
    trainings.into_iter().filter_map(figure).collect()
}

/// Returns one panel for each training configuration with which a candidate diverges.
fn panels<'a>(divergences: impl IntoIterator<Item = &'a Divergence>) -> Vec<Panel> {
    // A logarithmic scale has no zero, so a candidate that stays bitwise equal to the first has no line.
    let divergences =
        divergences.into_iter().filter(|divergence| divergence.distance > 0.0 && divergence.distance.is_finite());
    let panels = grouped(divergences, |divergence| divergence.training.clone()).into_iter().map(|divergences| Panel {
        caption: format!("training {}", divergences[0].training),
        x_label: "training step",
        x_base: 10.0,
        y_label: "distance from scratch, ‖θ − θ₁‖ / ‖θ₁‖",
        lines: grouped(divergences, |divergence| divergence.name.clone())
            .iter()
            .map(|divergences| line(divergences))
            .collect(),
    });
    panels.collect()
}

fn line(divergences: &[&Divergence]) -> Line {
    Line {
        name: divergences[0].name.clone(),
        is_in_background: divergences[0].is_replica,
        points: divergences.iter().map(|divergence| (divergence.step as f64, divergence.distance)).collect(),
    }
}

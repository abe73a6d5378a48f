//! The trained networks of a comparison.

use maud::{Markup, html};
use mlp_parity::Dataset;
use mlp_parity_compare::record::{RunContext, RunRecord};
use mlp_parity_compare::training::divergence::Divergence;
use mlp_parity_compare::{NamedTraining, Outcome, Run};

use super::digits;
use super::document::{in_layouts, losses_plot, wide};
use super::table::page_blocks;
use crate::error::Result;
use crate::output::plots::{Layout, Losses, divergence_figures};
use crate::output::terminal::{Page, confusion_sums, report_comparison, tables};

/// The results of a comparison that the page shows in addition to tables.
pub(crate) struct Trained<'a> {
    pub(crate) outcome: &'a Outcome,
    /// The test images.
    pub(crate) test: &'a Dataset,
    /// The measured divergences; empty if none were measured.
    pub(crate) divergences: &'a [Divergence],
}

/// Returns the section on the trained networks; nothing if none were trained.
pub(super) fn section(context: &RunContext<'_>, trained: &Trained<'_>) -> Result<Markup> {
    let outcome = trained.outcome;
    if outcome.runs.is_empty() {
        return Ok(html! {});
    }
    let mut page = Page::new();
    tables(&mut page, outcome);
    report_comparison(&mut page, context, outcome)?;
    let mut curves = Vec::new();
    for training in context.trainings {
        curves.push(learning_curves(outcome, training)?);
    }
    Ok(html! {
        section {
            h2 id="trained" { "Trained networks" }
            (page_blocks(&page))
            h3 { "Learning curves" }
            @for curves in &curves { (curves) }
            (divergence(trained.divergences)?)
            h3 { "Predictions" }
            @for training in context.trainings {
                (digits::misclassified(trained.test, &training.name, &outcome.runs_with_first_seed(training)))
            }
            div class="matrices" {
                @for (title, counts) in confusion_sums(outcome).iter().filter(|(_, counts)| !counts.is_empty()) {
                    div { (confusion(title, counts)) }
                }
            }
        }
    })
}

/// Returns the plot of the training losses with one training configuration and the first seed; nothing if no epoch was tested.
fn learning_curves(outcome: &Outcome, training: &NamedTraining) -> Result<Markup> {
    let runs = outcome.runs_with_first_seed(training);
    let records: Vec<&RunRecord> = runs.iter().map(|run| &run.record).filter(|run| !run.epochs.is_empty()).collect();
    if records.is_empty() {
        return Ok(html! {});
    }
    // Replicas of which an earlier process trained some epochs are left out, because their losses are not stored.
    let is_whole = |run: &&Run| run.trained_epochs.first().is_some_and(|epoch| epoch.epoch == 1);
    let of_training = outcome.replicas.iter().filter(|run| run.record.training == training.name);
    let replicas: Vec<&Run> = of_training.filter(is_whole).collect();
    let title = format!("Training loss of each epoch, training {}, seed {}", training.name, training.config.seed());
    let losses = Losses::from_runs(String::new(), &records).with_control(&replicas);
    let note = if replicas.is_empty() { "." } else { "; control replicas in grey." };
    Ok(figure(&title, note, &losses_plot(&losses, &title)?))
}

/// Returns the plots of the divergence; nothing if it was not measured, or there is none.
fn divergence(divergences: &[Divergence]) -> Result<Markup> {
    let [wide, narrow] = [Layout::Wide, Layout::Narrow].map(|layout| divergence_figures(divergences, layout));
    let (wide, narrow) = (wide?, narrow?);
    Ok(html! {
        @if !wide.is_empty() {
            h3 { "Divergence of the parameters" }
            p {
                "Training amplifies rounding errors, so the parameters drift apart, those of the control replicas like those of "
                "different implementations."
            }
            @for ((training, wide), (_, narrow)) in wide.iter().zip(&narrow) {
                @let title = format!("Distance of the parameters from those of the first candidate, training {training}");
                (figure(&title, ".", &in_layouts([wide, narrow], &title)))
            }
        }
    })
}

fn figure(title: &str, note: &str, plot: &Markup) -> Markup {
    html! {
        figure class="plot" {
            (plot)
            figcaption { (title) (note) }
        }
    }
}

/// Returns a confusion matrix as a table whose cells are shaded by the share of the images with the same label.
fn confusion(title: &str, counts: &[Vec<usize>]) -> Markup {
    let table = html! {
        table class="confusion" aria-label=(title) {
            thead {
                tr { th scope="col" { "label" } @for class in 0..counts.len() { th scope="col" { (class) } } }
            }
            tbody {
                @for (label, row) in counts.iter().enumerate() {
                    tr {
                        th scope="row" { (label) }
                        @for (class, &count) in row.iter().enumerate() {
                            td class=(shade(class == label, count, row.iter().sum())) { (count) }
                        }
                    }
                }
            }
        }
    };
    html! {
        h4 { (title) }
        (wide(title, &table))
    }
}

/// Returns the CSS classes of a cell: whether its images are classified correctly, and one of five shades. They are logarithmic, so
/// that even a single misclassified image is visible.
fn shade(is_correct: bool, count: usize, images: usize) -> String {
    let share = (count as f64).ln_1p() / (images.max(1) as f64).ln_1p();
    format!("{} shade{:.0}", if is_correct { "right" } else { "wrong" }, (5.0 * share).ceil().min(5.0))
}

#[cfg(test)]
mod tests {
    use super::shade;

    #[test]
    fn shade_grows_with_count() {
        assert_eq!(
            [0, 1, 50, 980].map(|count| shade(false, count, 980)),
            ["wrong shade0", "wrong shade1", "wrong shade3", "wrong shade5"]
        );
        assert_eq!(shade(true, 0, 0), "right shade0");
    }
}

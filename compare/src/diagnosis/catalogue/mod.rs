//! The catalogue of variants, by the stage at which they first show. Each entry has an identifier, a kind, a sentence that claims
//! behaviour and not cause, and advice.
//!
//! `docs/diagnosis.md` contains the table of all entries, and describes how to add one.

mod clipping;
mod decay;
mod entries;
pub(super) mod forward;
mod gradients;
mod loss;
mod output;
#[cfg(test)]
mod page;
mod update;

pub(super) use entries::rejection;
pub use entries::{Entry, entries};
#[cfg(test)]
pub(super) use entries::{by_stage, sample};

use super::target::{Outcome, Target};
use super::variant::Variant;
use crate::check::{Computation, Results, Stage};

/// The facts on which the choice of variants depends.
pub(super) struct Facts<'a> {
    pub(super) computation: &'a Computation,
    /// Number of images of the first batch.
    pub(super) images: f64,
    /// Number of outputs.
    pub(super) outputs: f64,
    /// Index of the layer whose gradient is the target; `None` for another target.
    pub(super) layer: Option<usize>,
    /// The step of the target; `None` for the first batch.
    pub(super) step: Option<usize>,
    /// True if gradients were recorded.
    pub(super) has_gradients: bool,
    /// True if parameters after a step were recorded.
    pub(super) has_steps: bool,
    /// True if a loss was recorded.
    pub(super) has_loss: bool,
    /// Names of the layers, first layer first.
    pub(super) layers: Vec<String>,
}

impl<'a> Facts<'a> {
    /// Returns the facts of a target in a step or the gradients of a layer. `recorded` tells whether gradients, parameters after
    /// a step, and a loss were recorded.
    fn new(computation: &'a Computation, recorded: [bool; 3], step: Option<usize>, layer: Option<&str>) -> Self {
        let tensors = computation.initial.tensors();
        let layers: Vec<String> =
            tensors.filter_map(|(name, _)| name.strip_suffix(".weight").map(str::to_owned)).collect();
        Self {
            computation,
            images: computation.batches[0].images.nrows() as f64,
            outputs: computation.batches[0].targets.ncols() as f64,
            layer: layer.and_then(|layer| layers.iter().position(|name| name == layer)),
            step,
            has_gradients: recorded[0],
            has_steps: recorded[1],
            has_loss: recorded[2],
            layers,
        }
    }
}

/// Returns whether gradients, parameters after a step, and a loss were recorded.
fn recorded(results: &Results) -> [bool; 3] {
    [
        !results.gradients.is_empty(),
        results.steps.iter().any(|step| !step.parameters.is_empty()),
        results.loss.is_some() || results.steps.iter().any(|step| step.loss.is_some()),
    ]
}

/// Returns all variants of the stages whose results were recorded.
pub(super) fn of_compared_stages(computation: &Computation, results: &Results) -> Vec<Variant> {
    let [_, has_steps, has_loss] = recorded(results);
    let facts = Facts::new(computation, recorded(results), has_steps.then_some(0), None);
    let mut variants = forward::variants(&facts);
    if has_loss {
        variants.extend(loss::variants(&facts));
    }
    if has_steps || !results.gradients.is_empty() {
        variants.extend(gradients::variants(&facts));
    }
    if has_steps {
        variants.extend(update::variants(&facts));
    }
    variants
}

/// Returns the variants that may explain the target, the likeliest first.
pub(super) fn variants(
    computation: &Computation,
    results: &Results,
    declared: &[Outcome],
    target: &Target,
) -> Vec<Variant> {
    let facts = Facts::new(computation, recorded(results), target.step, target.layer());
    let has_passed = |stage: Stage| declared.iter().any(|outcome| outcome.comparison.stage == stage && outcome.passed);
    let is_forward_right = has_passed(Stage::Logits) || has_passed(Stage::Loss);
    let are_gradients_right =
        facts.layers.iter().all(|layer| results.gradients.contains_key(&format!("{layer}.weight")));
    let mut variants = Vec::new();
    match target.stage {
        Stage::Logits => {
            variants.extend(forward::variants(&facts));
            variants.extend(loss::softmaxes(&facts));
        }
        Stage::Loss => {
            variants.extend(loss::variants(&facts));
            if !has_passed(Stage::Logits) {
                variants.extend(forward::variants(&facts));
            }
        }
        Stage::Gradients => {
            variants.extend(gradients::variants(&facts));
            if !has_passed(Stage::Loss) {
                variants.extend(loss::variants(&facts));
            }
            if !is_forward_right {
                variants.extend(forward::variants(&facts));
            }
        }
        _ if target.tensors.iter().any(|tensor| tensor == "loss") => {
            variants.extend(loss::variants(&facts));
            variants.extend(update::samples(&facts));
            if !is_forward_right {
                variants.extend(forward::variants(&facts));
            }
        }
        _ => {
            variants.extend(update::variants(&facts));
            if !are_gradients_right {
                variants.extend(gradients::variants(&facts));
                if !has_passed(Stage::Loss) {
                    variants.extend(loss::variants(&facts));
                }
            }
            if !is_forward_right {
                variants.extend(forward::variants(&facts));
            }
        }
    }
    if is_forward_right && target.step.is_some_and(|step| step > 0) {
        // Biases that are zero at first show only later that they are not used.
        variants.extend(forward::biases(&facts));
    }
    #[cfg(test)]
    variants.retain(|variant| !super::tests::is_left_out(variant.id));
    variants
}

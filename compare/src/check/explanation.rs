//! Advice on results that disagree: a hint from the first check that failed, and the results of a diagnosis.

use serde::Serialize;

use super::case::AFTER_EPOCH;
use super::tensor_check::{Check, Stage};

/// The kind of an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A mistake: the results are not those of the mathematics that the trace declares, nor of another usual choice.
    Fault,
    /// A sound choice, but not the one that the trace declares.
    Convention,
    /// Inputs or results that are not what their names say.
    Data,
    /// Another precision than the declared one.
    Precision,
}

/// An explanation of results that differ from the declared computation: another computation, which they all follow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The identifier in the catalogue.
    pub id: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The stage at which the results first differ from the declared computation.
    pub stage: Stage,
    /// Description of the program's behaviour, which continues "the results are those of a program that".
    pub sentence: String,
    /// Advice: the code to look at, or the metadata that declare the choice.
    pub advice: String,
    /// The tensors that it explains, and the declared computation does not.
    pub explains: Vec<String>,
    /// Evidence beyond what the choice among all explanations needs, in bits.
    pub evidence_bits: f64,
    /// Other explanations that predict the same results on these data.
    pub equivalent: Vec<OtherExplanation>,
}

/// A mistake or convention that these data do not tell from another one, or from the declared computation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OtherExplanation {
    /// The identifier in the catalogue.
    pub id: &'static str,
    /// Description of its behaviour, which continues "a program that".
    pub sentence: String,
}

impl Diagnosis {
    /// Returns the explanations in sentences, or `hint` if there are none, and what remains unexplained.
    pub fn text(&self, hint: &str) -> String {
        let sentences = self.explanations.iter().enumerate().map(|(index, explanation)| {
            let Explanation { id, sentence, advice, equivalent, .. } = explanation;
            let program = if index == 0 { "the results are those of a program that" } else { "and that" };
            let other = equivalent
                .first()
                .map(|other| format!(", or that {}, which is the same on these data", other.sentence));
            format!("{program} {sentence} ({id}){}: {advice}", other.unwrap_or_default())
        });
        let sentences: Vec<String> = sentences.collect();
        let rest = self.unexplained.as_ref().map(|rest| format!("; unexplained: {rest}")).unwrap_or_default();
        if sentences.is_empty() { format!("{hint}{rest}") } else { sentences.join("; ") + &rest }
    }
}

/// A diagnosis of results that disagree.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The explanations in the order in which they were found, from the forward pass to the update.
    pub explanations: Vec<Explanation>,
    /// A description of what remains unexplained; `None` if nothing does.
    pub unexplained: Option<String>,
}

impl Check {
    /// Returns advice on where to look for the fault. `all` are the checks of the same candidate, and this check must
    /// be the first of them that failed, because the advice builds on the checks that passed before it.
    pub fn hint(&self, all: &[Self]) -> String {
        if let Some(hint) = self.hint_after_training() {
            return hint.to_owned();
        }
        let updates_passed = all.iter().any(|other| other.stage == Stage::Update);
        let has_gradients = all.iter().any(|other| other.stage == Stage::Gradients);
        match self.stage {
            Stage::Parameters => "check how parameters are stored and read: layout, order, precision".to_owned(),
            Stage::Logits => {
                "check the forward pass: matrix products, biases, activation, dropout, precision".to_owned()
            }
            Stage::Loss => "check the loss function: its factor, the mean over the batch, the labels, and, \
                            with softmax, that the largest logit is subtracted before exp"
                .to_owned(),
            Stage::Gradients => self.gradient_hint(all),
            Stage::Update => "the gradients were given, so the update rule is wrong: check its weight decay, its state \
                              and its constants"
                .to_owned(),
            Stage::Trajectory if self.tensor == "loss" && self.step == Some(0) => {
                "check the loss function: its factor, the mean over the batch, the labels, and that the loss is computed \
                 before the update"
                    .to_owned()
            }
            Stage::Trajectory if self.tensor == "loss" => {
                "the parameters before this step are right: check which batch the step uses, and that the loss is \
                 computed before the update"
                    .to_owned()
            }
            Stage::Trajectory if updates_passed => {
                "gradients and updates are right on their own: check the code of `step` between them, and the state \
                 that it keeps from step to step"
                    .to_owned()
            }
            Stage::Trajectory if !has_gradients => {
                "check the gradient, which is not compared (with gradient.* in the trace, it would be), then the update \
                 rule (sign, learning rate, weight decay, state), and that the trace's metadata state the optimizer that \
                 was used"
                    .to_owned()
            }
            Stage::Trajectory => {
                "the gradients of the first batch are right: check the update rule (sign, learning rate, weight decay, \
                 state), that the trace's metadata state the optimizer that was used, and that gradients are reset \
                 before each step"
                    .to_owned()
            }
            Stage::TrainingLoop => "single steps are right, so the training loop is wrong: check the order of the \
                                    images, their labels, the last batch, and state left from earlier calls"
                .to_owned(),
        }
    }

    /// Returns advice on a fault that shows in the state after training, in a stage that a new network may pass; `None` for
    /// other checks.
    fn hint_after_training(&self) -> Option<&'static str> {
        let is_trained = self.scenario.contains(AFTER_EPOCH);
        match self.stage {
            Stage::Parameters if self.tensor == "updates" => Some(
                "check that the optimizer keeps its state from epoch to epoch, and that its number of updates is read and \
                 restored exactly",
            ),
            Stage::Parameters if self.tensor.starts_with("moment") => {
                Some("check that the moments of the optimizer are read and restored bit by bit, with subnormal numbers")
            }
            Stage::Update if is_trained => Some(
                "if a new network passes, the mistake depends on the number of updates or on tiny moments: check the step \
                 counter and the bias corrections",
            ),
            Stage::TrainingLoop if is_trained => {
                Some("check that `fit` keeps the optimizer state when it continues a run after some of its epochs")
            }
            _ => None,
        }
    }

    /// Returns advice on where to look for the fault in a gradient, which are compared from the output layer down.
    fn gradient_hint(&self, all: &[Self]) -> String {
        let (layer, part) = self.tensor.rsplit_once('.').unwrap_or((&self.tensor, ""));
        let same_stage = |other: &&Self| (other.stage, &other.scenario) == (self.stage, &self.scenario);
        let is_right =
            |tensor: String| all.iter().filter(same_stage).any(|other| other.tensor == tensor && other.passed);
        let is_above =
            |other: &&Self| other.passed && other.tensor.rsplit_once('.').is_some_and(|(above, _)| above != layer);
        let above = all.iter().filter(same_stage).rfind(is_above).and_then(|other| other.tensor.rsplit_once('.'));
        match part {
            "bias" if is_right(format!("{layer}.weight")) => {
                format!(
                    "the gradient of {layer}.weight is right, so δ of {layer} is right too: check that the gradient of \
                     {layer}.bias is computed from the same δ, and the sum over the batch"
                )
            }
            "bias" if layer == "output_layer" => {
                "check δ of the output layer, the derivative of the loss by its sums; for the mean cross-entropy of softmax, \
                 it is (probabilities − one-hot labels) / batch size"
                    .to_owned()
            }
            "bias" => match above {
                Some((above, _)) => format!(
                    "the gradients of {above} are right, but δ of {layer} is wrong: check the derivative of its \
                     activation, and the product that propagates δ down to it"
                ),
                None => format!(
                    "check δ of {layer}, and of the layers above, whose gradients are not compared: the derivatives of \
                     the loss and of the activations"
                ),
            },
            _ if is_right(format!("{layer}.bias")) => format!(
                "the gradient of {layer}.bias is right, so δ of {layer} is right too: check the product of the layer's \
                 transposed input with δ"
            ),
            _ => format!(
                "check δ of {layer}, and the product of the layer's transposed input with δ; a gradient of {layer}.bias, \
                 the sum of δ, would tell which of them is wrong"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tensor_check::CheckContext;

    fn any_check() -> Check {
        CheckContext::example().element("logits", Vec::new(), [1.0, 1.0, 1.0], None, 0)
    }

    /// Returns the hint for the first failed check, given the stage, tensor and outcome (true if passed) of each check.
    fn hint(checks: &[(Stage, &str, bool)]) -> String {
        let checks = checks.iter().map(|&(stage, tensor, passed)| Check {
            stage,
            tensor: tensor.to_owned(),
            passed,
            ..any_check()
        });
        let checks: Vec<Check> = checks.collect();
        checks.iter().find(|check| !check.passed).unwrap().hint(&checks)
    }

    #[test]
    fn hint_depends_on_checks_that_passed() {
        use Stage::{Gradients, Update};
        let of_output = hint(&[(Gradients, "output_layer.bias", false)]);
        assert!(of_output.contains("δ of the output layer"), "{of_output}");
        let of_layer = hint(&[(Gradients, "output_layer.bias", true), (Gradients, "layer1.bias", false)]);
        assert!(of_layer.contains("gradients of output_layer are right, but δ of layer1 is wrong"), "{of_layer}");
        let of_sum = hint(&[(Gradients, "layer1.weight", true), (Gradients, "layer1.bias", false)]);
        assert!(of_sum.contains("the gradient of layer1.weight is right"), "{of_sum}");
        let of_product = hint(&[(Gradients, "layer1.bias", true), (Gradients, "layer1.weight", false)]);
        assert!(of_product.contains("the gradient of layer1.bias is right"), "{of_product}");
        // A tensor of another stage, one that failed itself, and one that is missing are no evidence.
        for other in [&[(Update, "layer1.weight", true)][..], &[(Gradients, "layer1.weight", false)], &[]] {
            let checks: Vec<_> = [(Gradients, "layer1.bias", false)].into_iter().chain(other.iter().copied()).collect();
            let unknown = hint(&checks);
            assert!(unknown.contains("layers above, whose gradients are not compared"), "{unknown}");
        }
        let alone = hint(&[(Gradients, "output_layer.weight", true), (Gradients, "layer1.weight", false)]);
        assert!(alone.contains("a gradient of layer1.bias, the sum of δ, would tell"), "{alone}");
    }

    #[test]
    fn hint_about_step_depends_on_earlier_stages() {
        use Stage::{Gradients, TrainingLoop, Trajectory, Update};
        let without_gradients = hint(&[(Trajectory, "layer1.weight", false)]);
        assert!(without_gradients.contains("the gradient, which is not compared"), "{without_gradients}");
        let of_rule = hint(&[(Gradients, "layer1.weight", true), (Trajectory, "layer1.weight", false)]);
        assert!(hint(&[(Trajectory, "loss", false)]).contains("before the update"));
        let between = hint(&[(Update, "layer1.weight", true), (Trajectory, "layer1.weight", false)]);
        assert!(
            of_rule.contains("check the update rule") && between.contains("updates are right"),
            "{of_rule}; {between}"
        );
        assert!(hint(&[(TrainingLoop, "layer1.bias", false)]).contains("the training loop is wrong"));
    }

    #[test]
    fn hint_after_training_names_late_mistakes() {
        let hint = |stage, tensor: &str| {
            let scenario = format!("adam{AFTER_EPOCH}15");
            let check = Check { stage, tensor: tensor.to_owned(), passed: false, scenario, ..any_check() };
            check.hint(std::slice::from_ref(&check))
        };
        assert!(hint(Stage::Parameters, "updates").contains("number of updates"));
        assert!(hint(Stage::Parameters, "moment1.layer1.weight").contains("subnormal"));
        assert!(hint(Stage::Parameters, "layer1.weight").contains("layout"));
        assert!(hint(Stage::Update, "layer1.weight").contains("bias corrections"));
        assert!(hint(Stage::TrainingLoop, "layer1.weight").contains("continues a run"));
    }
}

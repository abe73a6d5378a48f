//! Advice on where to look for the fault, from the first check that failed.

use super::tensor_check::{Check, Stage};

impl Check {
    /// Returns advice on where to look for the fault. `all` are the checks of the same candidate, and this check must
    /// be the first of them that failed, because the advice builds on the checks that passed before it.
    pub fn hint(&self, all: &[Self]) -> String {
        let (layer, part) = self.tensor.rsplit_once('.').unwrap_or((&self.tensor, ""));
        let weight = format!("{layer}.weight");
        let same_stage = |other: &&Self| (other.stage, &other.scenario) == (self.stage, &self.scenario);
        let weight_passed = all.iter().filter(same_stage).any(|other| other.tensor == weight && other.passed);
        let updates_passed = all.iter().any(|other| other.stage == Stage::Update);
        match (self.stage, part) {
            (Stage::Parameters, _) => "check how parameters are stored and read: layout, order, precision".to_owned(),
            (Stage::Logits, _) => "check the forward pass: matrix products, biases, activation, precision".to_owned(),
            (Stage::Loss, _) => "check the cross-entropy: the mean over the batch, the labels, and that the largest \
                                 logit is subtracted before exp"
                .to_owned(),
            (Stage::Gradients, "bias") if weight_passed => {
                format!(
                    "the gradient of {weight} is right, so δ of {layer} is right too: check the sum of δ over the batch"
                )
            }
            (Stage::Gradients, "bias") if layer == "output_layer" => {
                "check δ of the output layer: (probabilities − one-hot labels) / batch size".to_owned()
            }
            (Stage::Gradients, "bias") => format!(
                "the gradients of all layers above are right, so δ of {layer} is wrong: check the derivative of its \
                 activation, and the product that propagates δ down to it"
            ),
            (Stage::Gradients, _) => format!(
                "the gradient of {layer}.bias is right, so δ of {layer} is right too: check the product of the layer's \
                 transposed input with δ"
            ),
            (Stage::Update, _) => "the gradients were given, so the update rule is wrong: check its weight decay, its \
                                   state and its constants"
                .to_owned(),
            (Stage::Trajectory, _) if self.tensor == "loss" => {
                "the parameters before this step are right: check which batch the step uses, and that the loss is \
                 computed before the update"
                    .to_owned()
            }
            (Stage::Trajectory, _) if updates_passed => {
                "gradients and updates are right on their own: check the code of `step` between them, and the state \
                 that it keeps from step to step"
                    .to_owned()
            }
            (Stage::Trajectory, _) => {
                "check the update rule (sign, learning rate, weight decay, state), that the trace's metadata state \
                 the optimizer that was used, and that gradients are reset before each step"
                    .to_owned()
            }
            (Stage::TrainingLoop, _) => "single steps are right, so the training loop is wrong: check the order of \
                                         the images, their labels, the last batch, and state left from earlier calls"
                .to_owned(),
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
        use Stage::{Gradients, TrainingLoop, Trajectory, Update};
        let of_output = hint(&[(Gradients, "output_layer.bias", false)]);
        assert!(of_output.contains("δ of the output layer"), "{of_output}");
        let of_layer = hint(&[(Gradients, "output_layer.bias", true), (Gradients, "layer1.bias", false)]);
        assert!(of_layer.contains("δ of layer1 is wrong"), "{of_layer}");
        let of_sum = hint(&[(Gradients, "layer1.weight", true), (Gradients, "layer1.bias", false)]);
        assert!(of_sum.contains("the gradient of layer1.weight is right"), "{of_sum}");
        // A weight of another stage, or one that failed itself, is no evidence.
        for weight in [(Update, "layer1.weight", true), (Gradients, "layer1.weight", false)] {
            assert_eq!(hint(&[(Gradients, "layer1.bias", false), weight]), of_layer);
        }
        let of_product = hint(&[(Gradients, "layer1.weight", false)]);
        assert!(of_product.contains("the gradient of layer1.bias is right"), "{of_product}");
        let of_rule = hint(&[(Trajectory, "layer1.weight", false)]);
        assert!(hint(&[(Trajectory, "loss", false)]).contains("before the update"));
        let between = hint(&[(Update, "layer1.weight", true), (Trajectory, "layer1.weight", false)]);
        assert!(
            of_rule.contains("check the update rule") && between.contains("updates are right"),
            "{of_rule}; {between}"
        );
        assert!(hint(&[(TrainingLoop, "layer1.bias", false)]).contains("the training loop is wrong"));
    }
}

//! One comparison and its outcome.

use std::fmt;

use ndarray::{ArrayViewD, Dimension};
use serde::Serialize;

use crate::number::{number, optional_number};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// Parameters, given and read back: equal to the bit.
    Parameters,
    /// The forward pass.
    Logits,
    /// The mean cross-entropy.
    Loss,
    /// The backward pass, from the output layer down, as it is computed.
    Gradients,
    /// `apply_gradients`: the parameters after a step from identical parameters and gradients.
    Update,
    /// `step`: the parameters after each of some steps, from what they were before it.
    Trajectory,
    /// `fit`: the same parameters as the same steps in the same order.
    Loop,
}

impl fmt::Display for Rung {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Parameters => "parameters",
            Self::Logits => "logits",
            Self::Loss => "loss",
            Self::Gradients => "gradients",
            Self::Update => "update",
            Self::Loop => "loop",
            Self::Trajectory => "trajectory",
        })
    }
}

/// One tensor of a participant beside what it must be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The plan, optimizer or probe under which it was compared; empty where there is none.
    pub plan: String,
    /// What was compared.
    pub rung: Rung,
    /// Who tells what is right: the oracle, or in the loop the participant's own steps.
    pub left: String,
    /// The participant.
    pub right: String,
    /// The step of an update or a trajectory, from 0.
    pub step: Option<usize>,
    /// `logits`, `loss`, or the name of a parameter.
    pub tensor: String,
    /// The element that is closest to what is allowed, or furthest beyond it. Empty for a scalar, and for the projection
    /// of a whole tensor.
    pub index: Vec<usize>,
    /// What is right there.
    #[serde(serialize_with = "number")]
    pub left_value: f64,
    /// What the participant has there.
    #[serde(serialize_with = "number")]
    pub right_value: f64,
    /// By how much they differ there.
    #[serde(serialize_with = "number")]
    pub max_abs: f64,
    /// The same as a share of the left value.
    #[serde(serialize_with = "number")]
    pub max_rel: f64,
    /// The same in units in the last place of the left value, in the participant's precision.
    #[serde(serialize_with = "number")]
    pub ulps: f64,
    /// How much they may differ there.
    #[serde(serialize_with = "number")]
    pub allowed: f64,
    /// How much they could differ there if all roundings conspired, to first order; for information.
    #[serde(serialize_with = "optional_number")]
    pub worst_case: Option<f64>,
    /// Elements that rounding may decide either way: hidden units at ReLU's kink, or open quotients of Adam.
    pub undecided: usize,
    /// Whether they differ by no more than allowed in every element. Never with a NaN or an infinity on either side.
    pub passed: bool,
}

/// The sides of a comparison, element by element.
pub(in crate::check) struct Sides<'a> {
    pub(in crate::check) expected: ArrayViewD<'a, f64>,
    pub(in crate::check) observed: ArrayViewD<'a, f64>,
    pub(in crate::check) allowed: ArrayViewD<'a, f64>,
    pub(in crate::check) worst_case: Option<ArrayViewD<'a, f64>>,
    pub(in crate::check) undecided: usize,
}

/// What is compared, and who with whom.
#[derive(Clone, Copy)]
pub(in crate::check) struct Title<'a> {
    pub(in crate::check) plan: &'a str,
    pub(in crate::check) rung: Rung,
    pub(in crate::check) left: &'a str,
    pub(in crate::check) right: &'a str,
    pub(in crate::check) step: Option<usize>,
    pub(in crate::check) unit_roundoff: f64,
}

impl Title<'_> {
    /// The element with the largest share of what is allowed; the first that is not finite counts as the largest.
    pub(in crate::check) fn check(&self, tensor: &str, sides: &Sides<'_>) -> Check {
        if sides.expected.shape() != sides.observed.shape() {
            return self.element(tensor, Vec::new(), [f64::NAN, f64::NAN, 0.0], None, 0);
        }
        let mut worst = (-1.0, Vec::new(), [0.0; 3]);
        let elements = sides.expected.indexed_iter().zip(&sides.observed).zip(&sides.allowed);
        for (((index, &expected), &observed), &allowed) in elements {
            let share = share(expected, observed, allowed);
            if share > worst.0 {
                worst = (share, index.slice().to_vec(), [expected, observed, allowed]);
            }
        }
        let worst_case = sides.worst_case.as_ref().and_then(|bound| bound.get(worst.1.as_slice()).copied());
        self.element(tensor, worst.1, worst.2, worst_case, sides.undecided)
    }

    /// One element, or one number that stands for a tensor.
    pub(in crate::check) fn element(
        &self,
        tensor: &str,
        index: Vec<usize>,
        [expected, observed, allowed]: [f64; 3],
        worst_case: Option<f64>,
        undecided: usize,
    ) -> Check {
        let max_abs = (expected - observed).abs();
        let of = |unit: f64| if max_abs == 0.0 { 0.0 } else { max_abs / unit };
        Check {
            plan: self.plan.to_owned(),
            rung: self.rung,
            left: self.left.to_owned(),
            right: self.right.to_owned(),
            step: self.step,
            tensor: tensor.to_owned(),
            index,
            left_value: expected,
            right_value: observed,
            max_abs,
            max_rel: of(expected.abs()),
            // One unit in the last place of x is 2u times the power of two at or below |x|.
            ulps: of(2.0 * self.unit_roundoff * expected.abs().log2().floor().exp2()),
            allowed,
            worst_case,
            undecided,
            passed: share(expected, observed, allowed) <= 1.0,
        }
    }
}

/// |expected − observed| / allowed; infinite if anything is not finite.
fn share(expected: f64, observed: f64, allowed: f64) -> f64 {
    let difference = (expected - observed).abs();
    if !(difference.is_finite() && allowed.is_finite()) {
        f64::INFINITY
    } else if difference == 0.0 {
        0.0
    } else {
        difference / allowed
    }
}

impl Check {
    /// Observed by allowed: the check holds up to 1.
    pub fn share(&self) -> f64 {
        share(self.left_value, self.right_value, self.allowed)
    }

    /// Where the element is. Of a weight, from which input to which unit: files have its axes the other way round.
    pub fn place(&self) -> String {
        match self.index[..] {
            [] => String::new(),
            [input, unit] if self.tensor.ends_with(".weight") => format!("[{input}→{unit}]"),
            ref index => format!("{index:?}"),
        }
    }

    /// What to look at when the check, which is the first that failed among these, fails.
    pub fn hint(&self, all: &[Self]) -> String {
        let (layer, part) = self.tensor.rsplit_once('.').unwrap_or((&self.tensor, ""));
        let weight = format!("{layer}.weight");
        let weight_holds = all
            .iter()
            .any(|other| (other.rung, &other.plan, &other.tensor) == (self.rung, &self.plan, &weight) && other.passed);
        let update_held = all.iter().any(|other| other.rung == Rung::Update);
        match (self.rung, part) {
            (Rung::Parameters, _) => "look at how parameters are stored and read: layout, order, precision".to_owned(),
            (Rung::Logits, _) => {
                "look at the forward pass: products, biases, the activation, and their precision".to_owned()
            }
            (Rung::Loss, _) => "look at the cross-entropy: the mean over the batch, labels, the largest logit \
                                subtracted before exp"
                .to_owned(),
            (Rung::Gradients, "bias") if weight_holds => {
                format!("the gradient of {weight} is right, so δ of {layer} is: look at the sum of δ over the batch")
            }
            (Rung::Gradients, "bias") if layer == "output_layer" => {
                "look at δ of the output layer: probabilities less labels, divided by the number of images".to_owned()
            }
            (Rung::Gradients, "bias") => format!(
                "gradients are compared from the output layer down, so δ of {layer} is wrong and those above it are \
                 right: look at the derivative of its activation, and at the product that brings δ down to it"
            ),
            (Rung::Gradients, _) => format!(
                "the bias of {layer} is right, so its δ is: look at the product of the layer's input, transposed, with δ"
            ),
            (Rung::Update, _) => {
                "the gradients were given, so the rule is wrong: look at its decay, its state and its constants"
                    .to_owned()
            }
            (Rung::Trajectory, _) if self.tensor == "loss" => {
                "the parameters of the step before are right, so look at its \
                                                               batch, and at the moment at which the loss is taken: \
                                                               before the update"
                    .to_owned()
            }
            (Rung::Trajectory, _) if update_held => "gradients and updates are right by themselves, so look at what a \
                                                     training step does between them, and keeps"
                .to_owned(),
            (Rung::Trajectory, _) => {
                "look at the rule: its sign, rate, decay and state, whether the metadata say what was \
                                      done, and whether gradients of the step before are still there"
                    .to_owned()
            }
            (Rung::Loop, _) => "single steps are right, so the training loop is wrong: look at the order of images, \
                                their labels, the last batch, and state from before"
                .to_owned(),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, rung, left, right, tensor, left_value, right_value, max_abs, allowed, .. } = self;
        let of = if tensor == &rung.to_string() { String::new() } else { format!(" of {tensor}") };
        let under = if plan.is_empty() { String::new() } else { format!(" ({plan})") };
        let place = self.place();
        let at = if place.is_empty() { String::new() } else { format!(" at {place}") };
        let step = self.step.map_or_else(String::new, |step| format!(" after step {step}"));
        write!(
            formatter,
            "{rung}{of}{under}{step}{at}: {left} has {left_value:.7e}, {right} has {right_value:.7e}, \
             {:.6} times as much; they differ by {max_abs:.1e}, and {allowed:.1e} is allowed",
            right_value / left_value
        )
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, arr1};

    use super::*;

    fn check(expected: &[f64], observed: &[f64], allowed: &[f64]) -> Check {
        let [expected, observed, allowed]: [ArrayD<f64>; 3] =
            [expected, observed, allowed].map(|side| arr1(side).into_dyn());
        let title = Title {
            plan: "",
            rung: Rung::Logits,
            left: "oracle",
            right: "participant",
            step: None,
            unit_roundoff: 0.5_f64.powi(24),
        };
        let sides = Sides {
            expected: expected.view(),
            observed: observed.view(),
            allowed: allowed.view(),
            worst_case: None,
            undecided: 0,
        };
        title.check("logits", &sides)
    }

    #[test]
    fn the_element_closest_to_its_own_limit_is_reported() {
        let found = check(&[1.0, 8.0, 3.0], &[1.5, 8.25, 3.0], &[1.0, 0.3, 1.0]);
        assert_eq!((found.index.as_slice(), found.max_abs, found.passed), (&[1][..], 0.25, true));
        assert_eq!((found.max_rel, found.ulps), (0.25 / 8.0, 0.25 / (8.0 * 2.0_f64.powi(-23))));
        assert!(!check(&[1.0], &[1.5], &[0.4]).passed);
        assert!(check(&[1.0], &[1.0], &[0.0]).passed && !check(&[1.0], &[1.0 + 1e-9], &[0.0]).passed);
    }

    /// The first that failed among these, by rung, tensor, and whether it passed.
    fn hint(checks: &[(Rung, &str, bool)]) -> String {
        let checks = checks.iter().map(|&(rung, tensor, passed)| Check {
            rung,
            tensor: tensor.to_owned(),
            passed,
            ..check(&[1.0], &[1.0], &[1.0])
        });
        let checks: Vec<Check> = checks.collect();
        checks.iter().find(|check| !check.passed).unwrap().hint(&checks)
    }

    #[test]
    fn hints_tell_what_is_known_to_be_right() {
        use Rung::{Gradients, Loop, Trajectory, Update};
        let of_output = hint(&[(Gradients, "output_layer.bias", false)]);
        assert!(of_output.contains("δ of the output layer"), "{of_output}");
        let of_layer = hint(&[(Gradients, "output_layer.bias", true), (Gradients, "layer1.bias", false)]);
        assert!(of_layer.contains("δ of layer1 is wrong"), "{of_layer}");
        let of_sum = hint(&[(Gradients, "layer1.weight", true), (Gradients, "layer1.bias", false)]);
        assert!(of_sum.contains("the gradient of layer1.weight is right"), "{of_sum}");
        // The weight of another rung, or one that is wrong itself, tells nothing.
        for weight in [(Update, "layer1.weight", true), (Gradients, "layer1.weight", false)] {
            assert_eq!(hint(&[(Gradients, "layer1.bias", false), weight]), of_layer);
        }
        let of_product = hint(&[(Gradients, "layer1.weight", false)]);
        assert!(of_product.contains("the bias of layer1 is right"), "{of_product}");
        let of_rule = hint(&[(Trajectory, "layer1.weight", false)]);
        assert!(hint(&[(Trajectory, "loss", false)]).contains("before the update"));
        let between = hint(&[(Update, "layer1.weight", true), (Trajectory, "layer1.weight", false)]);
        assert!(of_rule.contains("look at the rule") && between.contains("updates are right"), "{of_rule}; {between}");
        assert!(hint(&[(Loop, "layer1.bias", false)]).contains("the training loop is wrong"));
    }

    #[test]
    fn an_element_of_a_weight_says_which_way_it_goes() {
        let place = |tensor: &str, index: &[usize]| {
            let found = check(&[1.0], &[1.0], &[1.0]);
            Check { tensor: tensor.to_owned(), index: index.to_vec(), ..found }.place()
        };
        assert_eq!(place("layer1.weight", &[483, 13]), "[483→13]");
        assert_eq!(place("logits", &[63, 9]), "[63, 9]");
        assert_eq!(place("layer1.bias", &[5]), "[5]");
        assert_eq!(place("loss", &[]), "");
    }

    #[test]
    fn the_sentence_names_the_element_and_both_values() {
        let mut found = check(&[1.0, 8.0], &[1.0, 9.0], &[1.0, 0.5]);
        let end = "[1]: oracle has 8.0000000e0, participant has 9.0000000e0, 1.125000 times as much; they differ by 1.0e0, \
                   and 5.0e-1 is allowed";
        assert_eq!(found.to_string(), format!("logits at {end}"));
        (found.rung, found.plan, found.step) = (Rung::Trajectory, "adam".to_owned(), Some(3));
        found.tensor = "layer1.bias".to_owned();
        assert_eq!(found.to_string(), format!("trajectory of layer1.bias (adam) after step 3 at {end}"));
        found.index.clear();
        assert!(found.to_string().starts_with("trajectory of layer1.bias (adam) after step 3: oracle"), "{found}");
    }

    #[test]
    fn json_says_what_is_not_finite() {
        let value = |value: f64| serde_json::to_value(check(&[1.0], &[value], &[1.0])).unwrap()["right_value"].clone();
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(value), ["NaN", "Infinity", "-Infinity"]);
        assert_eq!(value(-0.5), -0.5);
    }

    #[test]
    fn what_is_not_finite_never_passes() {
        for value in [f64::NAN, f64::INFINITY] {
            assert!(!check(&[1.0, value], &[1.0, value], &[1.0, 1.0]).passed);
            assert!(!check(&[1.0], &[2.0], &[value]).passed);
        }
        assert!(!check(&[1.0, 2.0], &[1.0], &[1.0, 1.0]).passed, "another shape");
    }
}

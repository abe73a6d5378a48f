//! Variants of weight decay: in the loss, in the gradients and in the update.

use mlp_parity_scratch::reference::WeightDecay;

use super::Facts;
use crate::check::{Computation, GradientForm, Kind};
use crate::diagnosis::variant::Variant;

/// Returns the metadata that declare weight decay.
fn declaration(decay: &WeightDecay) -> String {
    let WeightDecay { coefficient, decoupled, weights_only, per_image, .. } = decay;
    let form = if *decoupled { "decoupled" } else { "coupled" };
    let on = if *weights_only { "weights" } else { "all" };
    let per_image = if *per_image { ", `weight_decay_per_image` true" } else { "" };
    format!("declare `weight_decay` {coefficient}, `weight_decay_form` {form}, `weight_decay_on` {on}{per_image}")
}

/// Usual coefficients of weight decay.
const DECAYS: [f64; 6] = [0.1, 0.01, 1e-3, 5e-4, 1e-4, 1e-5];

/// Returns the usual decays that a computation without one may have, with their descriptions and the metadata that declare them.
fn undeclared_decays(computation: &Computation) -> Vec<(WeightDecay, String, String)> {
    let mut decays = Vec::new();
    for coefficient in DECAYS.into_iter().filter(|_| computation.specification.weight_decay.coefficient == 0.0) {
        for (weights_only, on, key) in [(false, "all parameters", "all"), (true, "the weights only", "weights")] {
            decays.push((
                WeightDecay { coefficient, weights_only, ..WeightDecay::NONE },
                format!("weight decay of {coefficient} of {on}"),
                format!("declare `weight_decay` {coefficient}, `weight_decay_on` {key}"),
            ));
        }
    }
    decays
}

/// Returns variants whose loss contains the penalty of weight decay.
pub(super) fn of_loss(facts: &Facts<'_>) -> Vec<Variant> {
    let declared = facts.computation.specification.weight_decay;
    let mut variants = Vec::new();
    for (decay, sentence, advice) in undeclared_decays(facts.computation) {
        let variant = Variant::of_specification(
            ("undeclared-decay", Kind::Convention),
            format!("reports a loss that contains the penalty of {sentence}"),
            format!("{advice}, and `weight_decay_in_loss` true"),
            move |specification| specification.weight_decay = WeightDecay { in_loss: true, ..decay },
        );
        variants.push(variant.with_bits(3.0).harmless());
    }
    if declared.coefficient == 0.0 {
        return variants;
    }
    for (weights_only, on) in [
        (declared.weights_only, ""),
        (!declared.weights_only, if declared.weights_only { " of all parameters" } else { " of the weights only" }),
    ] {
        for (multiple, times) in [
            (1.0, ""),
            (2.0, ", twice the declared one"),
            (0.5, ", half the declared one"),
            (facts.images, ", the declared one times the number of images"),
            (facts.images.recip(), ", the declared one divided by the number of images"),
        ] {
            let coefficient = multiple * declared.coefficient;
            variants.push(
                Variant::of_specification(
                    ("penalty-in-loss", Kind::Convention),
                    format!("reports a loss that contains the penalty of weight decay{on}{times}"),
                    "declare `weight_decay_in_loss` true, with the `weight_decay` and `weight_decay_on` of the program",
                    move |specification| {
                        let decay = &mut specification.weight_decay;
                        (decay.coefficient, decay.weights_only, decay.in_loss) = (coefficient, weights_only, true);
                    },
                )
                .with_bits(2.0),
            );
        }
    }
    variants
}

/// Weight decay that the declared gradients do not contain, or contain otherwise.
pub(super) fn of_gradients(facts: &Facts<'_>) -> Vec<Variant> {
    let declared = facts.computation.specification.weight_decay;
    let mut variants = Vec::new();
    for (decay, sentence, advice) in undeclared_decays(facts.computation) {
        let variant = Variant::new(
            ("undeclared-decay", Kind::Convention),
            format!("adds {sentence} to the gradients"),
            format!("{advice}, and `gradients` with-weight-decay"),
            move |computation| {
                computation.specification.weight_decay = decay;
                computation.gradient_form = GradientForm::WithWeightDecay;
            },
        );
        variants.push(variant.with_bits(3.0).harmless());
    }
    if declared.coefficient == 0.0 {
        return variants;
    }
    for (weights_only, on) in [(true, "the weights"), (false, "all parameters")] {
        for (per_image, divided) in [(false, ""), (true, ", divided by the number of images")] {
            for (multiple, times) in [(1.0, ""), (2.0, "twice "), (0.5, "half ")] {
                let decay = WeightDecay {
                    coefficient: multiple * declared.coefficient,
                    decoupled: false,
                    weights_only,
                    per_image,
                    in_loss: declared.in_loss,
                };
                if decay == declared && facts.computation.gradient_form == GradientForm::WithWeightDecay {
                    continue;
                }
                variants.push(
                    Variant::new(
                        ("gradients-with-another-decay", Kind::Convention),
                        format!("adds {times}the declared weight decay of {on}{divided} to the gradients"),
                        format!("{}, and `gradients` with-weight-decay", declaration(&decay)),
                        move |computation| {
                            computation.specification.weight_decay = decay;
                            computation.gradient_form = GradientForm::WithWeightDecay;
                        },
                    )
                    .harmless(),
                );
            }
        }
    }
    variants
}

/// Other forms and coefficients of weight decay in the update.
pub(super) fn of_update(facts: &Facts<'_>) -> Vec<Variant> {
    let declared = facts.computation.specification.weight_decay;
    if declared.coefficient == 0.0 {
        return undeclared(facts);
    }
    let rate = facts.computation.learning_rates.first().copied().unwrap_or(1.0);
    let declare = ("another-decay", Kind::Convention, None);
    let fault = |advice| ("decay-factor", Kind::Fault, Some(advice));
    let multiples = [
        (1.0, "", declare),
        (2.0, ", twice the declared one", declare),
        (0.5, ", half the declared one", declare),
        (-1.0, ", with the wrong sign", fault("check the sign of the decay: it shrinks the parameters")),
        (rate.recip(), ", not multiplied by the learning rate", fault("multiply the decay by the learning rate")),
        (rate, ", multiplied by the learning rate once more", fault("multiply the decay by the learning rate once")),
    ];
    let mut variants = vec![Variant::of_specification(
        ("decay-missing", Kind::Fault),
        "has no weight decay",
        "check that the decay reaches the update",
        |specification| specification.weight_decay = WeightDecay::NONE,
    )];
    for (decoupled, form) in [(false, "coupled"), (true, "decoupled")] {
        for (weights_only, on) in [(true, "the weights only"), (false, "all parameters")] {
            for (per_image, divided) in [(false, ""), (true, ", divided by the number of images")] {
                for (multiple, times, (id, kind, advice)) in multiples {
                    let coefficient = multiple * declared.coefficient;
                    let decay =
                        WeightDecay { coefficient, decoupled, weights_only, per_image, in_loss: declared.in_loss };
                    if decay != declared {
                        let sentence = format!("has {form} weight decay of {on}{divided}{times}");
                        let advice = advice.map_or_else(|| declaration(&decay), str::to_owned);
                        variants.push(
                            Variant::of_specification((id, kind), sentence, advice, move |specification| {
                                specification.weight_decay = decay;
                            })
                            .with_bits(3.0 + if multiple == 1.0 { 0.0 } else { 2.0 } + f64::from(u8::from(per_image))),
                        );
                    }
                }
            }
        }
    }
    variants
}

/// Weight decay that is not declared.
fn undeclared(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = Vec::new();
    for (decay, sentence, advice) in undeclared_decays(facts.computation) {
        for (decoupled, form) in [(false, "coupled"), (true, "decoupled")] {
            let decay = WeightDecay { decoupled, ..decay };
            let (sentence, advice) =
                (format!("has {form} {sentence}"), format!("{advice}, and `weight_decay_form` {form}"));
            let variant = Variant::of_specification(
                ("undeclared-decay", Kind::Convention),
                sentence,
                advice,
                move |specification| specification.weight_decay = decay,
            );
            variants.push(variant.with_bits(4.0).harmless());
        }
    }
    variants
}

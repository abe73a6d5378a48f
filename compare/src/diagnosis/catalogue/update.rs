//! Variants of the update.

use mlp_parity_scratch::reference::{
    CarriedGradients, Clipping, Correction, EpsilonPlacement, MomentumForm, UpdateRule, WeightDecay,
};

use ndarray::s;

use super::{Facts, gradients};
use crate::check::Kind;
use crate::diagnosis::variant::Variant;

pub(super) fn variants(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = rules(facts);
    variants.extend(decays(facts));
    variants.extend(rates(facts));
    variants.extend(schedules());
    variants.extend(carried());
    variants.extend(clippings(facts));
    variants.push(gradients::no_biases());
    variants.extend(samples(facts));
    variants.push(Variant::of_specification(
        ("clipping-unused", Kind::Fault),
        "does not clip the gradients",
        "check that the clipped gradients reach the update",
        |specification| specification.clipping = None,
    ));
    variants
}

fn of_rule(
    id: &'static str,
    kind: Kind,
    sentence: impl Into<String>,
    advice: &'static str,
    rule: UpdateRule,
) -> Variant {
    Variant::of_specification((id, kind), sentence, advice, move |specification| specification.update_rule = rule)
}

fn rules(facts: &Facts<'_>) -> Vec<Variant> {
    let declared = facts.computation.specification.update_rule;
    let plain = MomentumForm::Velocity { dampening: 0.0 };
    let mut variants = Vec::new();
    match declared {
        UpdateRule::Momentum { momentum, form, nesterov } if momentum > 0.0 => {
            variants.extend(momentum_rules(momentum, form, nesterov));
        }
        UpdateRule::Adam { .. } => {
            variants.extend(adam_rules(declared));
            variants.extend(corrections());
        }
        _ => {}
    }
    if declared != (UpdateRule::Momentum { momentum: 0.0, form: plain, nesterov: false }) {
        let rule = UpdateRule::Momentum { momentum: 0.0, form: plain, nesterov: false };
        variants.push(of_rule(
            "plain-descent",
            Kind::Fault,
            "takes plain steps of gradient descent, θ ← θ − ηg",
            "check that the declared optimizer is the one that runs",
            rule,
        ));
    }
    variants
}

fn momentum_rules(momentum: f64, form: MomentumForm, nesterov: bool) -> Vec<Variant> {
    let plain = MomentumForm::Velocity { dampening: 0.0 };
    let mut variants = Vec::new();
    for (other, name) in [
        (plain, "v ← µv + g; θ ← θ − ηv"),
        (MomentumForm::Velocity { dampening: momentum }, "v ← µv + (1 − µ)g, and v = g in the first step"),
        (MomentumForm::Velocity { dampening: 1.0 - momentum }, "v ← µv + µg, and v = g in the first step"),
        (MomentumForm::Average, "v ← µv + (1 − µ)g"),
        (MomentumForm::WithRate, "v ← µv + ηg; θ ← θ − v"),
    ] {
        for (with, text) in [(false, ""), (true, ", with Nesterov's step")] {
            if (other, with) != (form, nesterov) {
                let rule = UpdateRule::Momentum { momentum, form: other, nesterov: with };
                let advice = "declare `momentum_form`, `dampening` and `nesterov` accordingly";
                let sentence = format!("uses momentum in the form {name}{text}");
                variants.push(of_rule("momentum-form", Kind::Convention, sentence, advice, rule));
            }
        }
    }
    let rule = UpdateRule::Momentum { momentum: 0.0, form: plain, nesterov: false };
    variants.push(of_rule(
        "momentum-missing",
        Kind::Fault,
        "uses no momentum",
        "check that the velocity is stored",
        rule,
    ));
    variants
}

fn adam_rules(declared: UpdateRule) -> Vec<Variant> {
    let UpdateRule::Adam { beta1, beta2, epsilon, placement, amsgrad } = declared else { return Vec::new() };
    let mut variants = Vec::new();
    for (other, name) in [
        (EpsilonPlacement::Outside, "outside: √v̂ + ε"),
        (EpsilonPlacement::BeforeCorrection, "before-correction: √v + ε"),
        (EpsilonPlacement::InsideRoot, "inside-root: √(v̂ + ε)"),
    ] {
        if other != placement {
            let rule = UpdateRule::Adam { beta1, beta2, epsilon, placement: other, amsgrad };
            let advice = "declare `epsilon_placement` accordingly";
            variants.push(of_rule(
                "adam-epsilon-placement",
                Kind::Convention,
                format!("has Adam's ε {name}"),
                advice,
                rule,
            ));
        }
    }
    for other in [1e-5, 1e-6, 1e-7, 1e-9, 1e-10, 1e-12, 1e-15, 0.0] {
        let rule = UpdateRule::Adam { beta1, beta2, epsilon: other, placement, amsgrad };
        variants.push(
            of_rule(
                "adam-epsilon",
                Kind::Convention,
                format!("has ε = {other:e}"),
                "declare `epsilon` accordingly",
                rule,
            )
            .with_bits(3.0),
        );
    }
    let rule = UpdateRule::Adam { beta1: beta2, beta2: beta1, epsilon, placement, amsgrad };
    variants.push(of_rule(
        "adam-betas-swapped",
        Kind::Fault,
        "has β₁ and β₂ exchanged",
        "check which moment decays by which β",
        rule,
    ));
    let rule = UpdateRule::Adam { beta1, beta2, epsilon, placement, amsgrad: !amsgrad };
    variants.push(of_rule(
        "adam-amsgrad",
        Kind::Convention,
        if amsgrad { "uses Adam without AMSGrad" } else { "uses AMSGrad" },
        "declare `amsgrad` accordingly",
        rule,
    ));
    variants
}

/// Bias corrections of Adam.
fn corrections() -> Vec<Variant> {
    let corrections = [
        (Correction::Missing, "adam-correction-missing", "leaves out Adam's bias corrections 1 − βᵗ"),
        (
            Correction::First,
            "adam-correction-constant",
            "has the bias corrections of the first step, 1 − β, in every step",
        ),
        (Correction::Shifted(1), "adam-step-too-large", "counts the steps in Adam's bias corrections from 2"),
        (Correction::Shifted(-1), "adam-step-too-small", "counts the steps in Adam's bias corrections one too low"),
    ];
    let variants = corrections.into_iter().map(|(correction, id, sentence)| {
        let advice = "check the number t of the step in 1 − βᵗ";
        Variant::of_specification((id, Kind::Fault), sentence, advice, move |specification| {
            specification.deviations.correction = correction;
        })
    });
    variants.collect()
}

/// Images that are left out of the step.
pub(super) fn samples(facts: &Facts<'_>) -> Vec<Variant> {
    let Some(step) = facts.step else { return Vec::new() };
    let without = |id: &'static str, sentence: &'static str, is_last: bool| {
        Variant::new((id, Kind::Fault), sentence, "check the bounds of the loop over the images", move |computation| {
            if let Some(batch) = computation.batches.get_mut(step) {
                let images = batch.images.nrows();
                let rows = if is_last { 0..images.saturating_sub(1) } else { 1.min(images)..images };
                batch.images = batch.images.slice(s![rows.clone(), ..]).to_owned();
                batch.targets = batch.targets.slice(s![rows.clone(), ..]).to_owned();
                for mask in batch.masks.iter_mut().flatten() {
                    *mask = mask.slice(s![rows.clone(), ..]).to_owned();
                }
            }
        })
    };
    vec![
        without("last-image-left-out", "leaves out the last image of the batch", true),
        without("first-image-left-out", "leaves out the first image of the batch", false),
    ]
}

fn decays(facts: &Facts<'_>) -> Vec<Variant> {
    let declared = facts.computation.specification.weight_decay;
    if declared.coefficient == 0.0 {
        return Vec::new();
    }
    let advice =
        "declare `weight_decay`, `weight_decay_form`, `weight_decay_on` and `weight_decay_per_image` accordingly";
    let rate = facts.computation.learning_rates.first().copied().unwrap_or(1.0);
    let declare = ("another-decay", Kind::Convention, advice);
    let fault = |advice| ("decay-factor", Kind::Fault, advice);
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

fn rates(facts: &Facts<'_>) -> Vec<Variant> {
    let Facts { images, outputs, .. } = *facts;
    let constants = [
        (-1.0, "−1: it ascends"),
        (0.0, "0: nothing moves"),
        (images, "the number of images"),
        (images.recip(), "1 / the number of images"),
        (2.0, "2"),
        (0.5, "½"),
        (outputs, "the number of outputs"),
        (outputs.recip(), "1 / the number of outputs"),
        (10.0, "10"),
        (0.1, "0.1"),
    ];
    let variants = constants.into_iter().map(|(factor, name)| {
        Variant::new(
            ("learning-rate-factor", Kind::Fault),
            format!("multiplies the step by {name}"),
            "check the learning rate, the sign of the update, and the division by the number of images",
            move |computation| computation.learning_rates.iter_mut().for_each(|rate| *rate *= factor),
        )
        .with_bits(3.0)
    });
    variants.collect()
}

/// Learning rates that change from step to step: η / tᵖ · qᵗ⁻¹ in step t.
fn schedules() -> Vec<Variant> {
    let mut schedules = vec![(1.0, 1.0, "η/t in step t".to_owned()), (0.5, 1.0, "η/√t in step t".to_owned())];
    for factor in [0.1, 0.5, 0.9, 0.95, 0.96, 0.98, 0.99, 0.999] {
        schedules.push((0.0, factor, format!("{factor} times that of the step before it")));
    }
    let variants = schedules.into_iter().map(|(power, factor, sentence)| {
        Variant::new(
            ("learning-rate-schedule", Kind::Convention),
            format!("has a learning rate that decays, {sentence}"),
            "declare one `learning_rate` for each step",
            move |computation| {
                for (step, rate) in (0_i32..).zip(&mut computation.learning_rates) {
                    *rate *= f64::from(step + 1).powf(-power) * f64::powi(factor, step);
                }
            },
        )
        .with_bits(3.0)
    });
    variants.collect()
}

/// Gradients of earlier steps.
fn carried() -> Vec<Variant> {
    let variants = [
        (CarriedGradients::All, "gradients-accumulated", "adds up the gradients of all steps so far"),
        (CarriedGradients::Last, "gradients-accumulated", "adds the gradients of the previous step"),
        (CarriedGradients::Previous, "gradients-of-previous-step", "updates with the gradients of the previous step"),
    ];
    let variants = variants.into_iter().map(|(carried, id, sentence)| {
        let advice = "reset the gradients before each step, and compute them before the update";
        Variant::of_specification((id, Kind::Fault), sentence, advice, move |specification| {
            specification.deviations.carried_gradients = carried;
        })
    });
    variants.collect()
}

/// Clipping that is not declared.
fn clippings(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = Vec::new();
    let limits = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0];
    for limit in limits.into_iter().filter(|_| facts.computation.specification.clipping.is_none()) {
        let norm = |epsilon| Clipping::GlobalNorm { limit, epsilon };
        for (clipping, sentence, key) in [
            (norm(1e-6), format!("clips the norm of all gradients together to {limit}"), "clip_norm"),
            (norm(0.0), format!("clips the norm of all gradients together to {limit}, with ε = 0"), "clip_norm"),
            (
                Clipping::TensorNorm { limit, epsilon: 0.0 },
                format!("clips the norm of each gradient to {limit}"),
                "clip_norm_per_tensor",
            ),
            (Clipping::Value { limit }, format!("clips every element of the gradients to ±{limit}"), "clip_value"),
        ] {
            let advice = format!("declare `{key}` {limit}, and `clip_epsilon`");
            let variant = Variant::of_specification(
                ("gradients-clipped-in-update", Kind::Convention),
                sentence,
                advice,
                move |specification| {
                    specification.clipping = Some(clipping);
                },
            );
            variants.push(variant.with_bits(3.0).harmless());
        }
    }
    variants
}

//! Variants of the update.

use mlp_parity_scratch::reference::{
    CarriedGradients, Correction, EpsilonPlacement, MomentumForm, UpdateOrder, UpdateRule,
};

use ndarray::s;

use super::{Facts, clipping, decay, gradients};
use crate::check::Kind;
use crate::diagnosis::variant::Variant;

pub(super) fn variants(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = rules(facts);
    variants.extend(decay::of_update(facts));
    variants.extend(rates(facts));
    variants.extend(schedules());
    variants.extend(carried());
    variants.extend(clipping::of_update(facts));
    variants.extend(other_optimizers(facts));
    variants.push(gradients::no_biases());
    variants.extend(samples(facts));
    variants
}

fn of_rule(
    id: &'static str,
    kind: Kind,
    sentence: impl Into<String>,
    advice: impl Into<String>,
    rule: UpdateRule,
) -> Variant {
    Variant::of_specification((id, kind), sentence, advice, move |specification| specification.update_rule = rule)
}

fn rules(facts: &Facts<'_>) -> Vec<Variant> {
    let declared = facts.computation.specification.update_rule;
    let plain = MomentumForm::Velocity { dampening: 0.0 };
    let mut variants = Vec::new();
    match declared {
        UpdateRule::Momentum { momentum, form, nesterov } => {
            if momentum > 0.0 {
                variants.extend(momentum_rules(momentum, form, nesterov));
            }
            variants.extend(other_momenta(momentum, form, nesterov));
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

/// Returns the metadata that declare a form of momentum.
fn declaration(form: MomentumForm, nesterov: bool) -> String {
    let form = match form {
        MomentumForm::Velocity { dampening } => format!("`momentum_form` velocity, `dampening` {dampening:.4}"),
        MomentumForm::Average => "`momentum_form` average".to_owned(),
        MomentumForm::WithRate => "`momentum_form` with-rate".to_owned(),
    };
    format!("declare {form}, `nesterov` {nesterov}")
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
                let advice = declaration(other, with);
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

/// Momentum with another usual coefficient than the declared one, which may be 0.
fn other_momenta(declared: f64, form: MomentumForm, nesterov: bool) -> Vec<Variant> {
    let forms = match declared {
        0.0 => vec![
            (MomentumForm::Velocity { dampening: 0.0 }, false, ""),
            (MomentumForm::Velocity { dampening: 0.0 }, true, ", with Nesterov's step"),
            (MomentumForm::Average, false, ", in the form v ← µv + (1 − µ)g"),
        ],
        _ => vec![(form, nesterov, "")],
    };
    let mut variants = Vec::new();
    for momentum in [0.9, 0.5, 0.8, 0.95, 0.99].into_iter().filter(|&momentum| momentum != declared) {
        for &(form, nesterov, text) in &forms {
            let rule = UpdateRule::Momentum { momentum, form, nesterov };
            let (sentence, advice) = (
                format!("uses a momentum of {momentum}{text}"),
                format!("{}, `optimizer` momentum and `momentum` {momentum}", declaration(form, nesterov)),
            );
            variants
                .push(of_rule("another-momentum", Kind::Convention, sentence, advice, rule).with_bits(3.0).harmless());
        }
    }
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
            let advice = format!("declare `epsilon_placement` {}", name.split(':').next().unwrap_or_default());
            variants.push(of_rule(
                "adam-epsilon-placement",
                Kind::Convention,
                format!("has Adam's ε {name}"),
                advice,
                rule,
            ));
        }
    }
    let epsilons = [1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 0.0];
    for epsilon in epsilons.into_iter().filter(|&other| other != epsilon) {
        for (other, name) in [
            (EpsilonPlacement::Outside, "outside"),
            (EpsilonPlacement::BeforeCorrection, "before-correction"),
            (EpsilonPlacement::InsideRoot, "inside-root"),
        ] {
            let rule = UpdateRule::Adam { beta1, beta2, epsilon, placement: other, amsgrad };
            let (place, advice, bits) = match other == placement {
                true => (String::new(), String::new(), 3.0),
                false => (format!(", {name}"), format!(", `epsilon_placement` {name}"), 5.0),
            };
            let advice = format!("declare `epsilon` {epsilon:e}{advice}");
            let sentence = format!("has ε = {epsilon:e}{place}");
            variants.push(of_rule("adam-epsilon", Kind::Convention, sentence, advice, rule).with_bits(bits));
        }
    }
    variants.extend(adam_rates(declared));
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
        format!("declare `amsgrad` {}", !amsgrad),
        rule,
    ));
    variants
}

/// Adam with other usual decay rates of the moments.
fn adam_rates(declared: UpdateRule) -> Vec<Variant> {
    let UpdateRule::Adam { beta1, beta2, epsilon, placement, amsgrad } = declared else { return Vec::new() };
    let mut variants = Vec::new();
    let mut add = |[beta1, beta2]: [f64; 2], name: &str| {
        let rule = UpdateRule::Adam { beta1, beta2, epsilon, placement, amsgrad };
        let advice = format!("declare `beta1` {beta1} and `beta2` {beta2}");
        if rule != declared {
            variants.push(
                of_rule("adam-betas", Kind::Convention, format!("has {name}"), advice, rule).with_bits(3.0).harmless(),
            );
        }
    };
    [0.5, 0.8, 0.9, 0.95, 0.99].into_iter().for_each(|other| add([other, beta2], &format!("β₁ = {other}")));
    [0.9, 0.95, 0.98, 0.99, 0.999, 0.9999].into_iter().for_each(|other| add([beta1, other], &format!("β₂ = {other}")));
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
        (Correction::OfFirstMoment, "adam-correction-incomplete", "applies Adam's bias correction to m, but not to v"),
        (Correction::OfSecondMoment, "adam-correction-incomplete", "applies Adam's bias correction to v, but not to m"),
    ];
    let variants = corrections.into_iter().map(|(correction, id, sentence)| {
        let advice = "check the number t of the step in 1 − βᵗ, and that both moments are divided by it";
        Variant::of_specification((id, Kind::Fault), sentence, advice, move |specification| {
            specification.deviations.correction = correction;
        })
    });
    variants.chain(counted_updates()).collect()
}

/// Bias corrections of Adam with a step number that is incremented inside the loop over the parameters.
fn counted_updates() -> impl Iterator<Item = Variant> {
    let orders = [
        (UpdateOrder::Tensors, "parameter, weight and bias of the first layer first"),
        (UpdateOrder::TensorsFromTop, "parameter, weight and bias of the output layer first"),
        (UpdateOrder::Reversed, "parameter, bias and weight of the output layer first"),
        (UpdateOrder::WeightsFirst, "parameter, all weights before the biases"),
        (UpdateOrder::Layers, "layer, first layer first"),
        (UpdateOrder::LayersFromTop, "layer, output layer first"),
    ];
    orders.into_iter().map(|(order, which)| {
        Variant::of_specification(
            ("adam-step-per-parameter", Kind::Fault),
            format!("increments the step number t of Adam's bias corrections for each {which}"),
            "increment t once per step, outside the loop over the parameters",
            move |specification| specification.deviations.correction = Correction::Updates(order),
        )
        .with_bits(3.0)
    })
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

/// Usual learning rates.
const RATES: [f64; 14] = [1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.01, 0.005, 0.003, 0.001, 5e-4, 3e-4, 1e-4];

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
    let of_tensors = constants.iter().flat_map(|&(factor, name)| {
        let of_kind = move |id, tensors: &str, factors: [f64; 2]| {
            Variant::of_specification(
                (id, Kind::Fault),
                format!("multiplies the step of the {tensors} by {name}"),
                "check the update of these parameters: its sign, its learning rate, and that it is there",
                move |specification| specification.deviations.rate_factors = Some(factors),
            )
            .with_bits(5.0)
        };
        [
            of_kind("learning-rate-of-weights", "weights", [factor, 1.0]),
            of_kind("learning-rate-of-biases", "biases", [1.0, factor]),
        ]
    });
    let of_tensors: Vec<Variant> = of_tensors.collect();
    let declared = facts.computation.learning_rates.clone();
    let is_constant = declared.iter().all(|rate| *rate == declared[0]);
    let usual =
        RATES.into_iter().filter(|&rate| is_constant && declared.first().is_some_and(|&declared| rate != declared));
    let usual = usual.map(|rate| {
        Variant::new(
            ("another-learning-rate", Kind::Convention),
            format!("has a learning rate of {rate}"),
            format!("declare `learning_rate` {rate}"),
            move |computation| computation.learning_rates.fill(rate),
        )
        .with_bits(4.0)
        .harmless()
    });
    let variants = constants.into_iter().map(|(factor, name)| {
        Variant::new(
            ("learning-rate-factor", Kind::Fault),
            format!("multiplies the step by {name}"),
            "check the learning rate, the sign of the update, and the division by the number of images",
            move |computation| computation.learning_rates.iter_mut().for_each(|rate| *rate *= factor),
        )
        .with_bits(3.0)
    });
    usual.chain(variants).chain(of_tensors).collect()
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

/// Other optimizers with the usual hyper-parameters, or those of the declared Adam.
fn other_optimizers(facts: &Facts<'_>) -> Vec<Variant> {
    let declared = facts.computation.specification.update_rule;
    let placement = EpsilonPlacement::Outside;
    let [beta1, beta2, epsilon] = match declared {
        UpdateRule::Adam { beta1, beta2, epsilon, .. } => [beta1, beta2, epsilon],
        _ => [0.9, 0.999, 1e-8],
    };
    let rms = |alpha| UpdateRule::RmsProp { alpha, epsilon, placement, momentum: 0.0, with_rate: false };
    let (learning_rate_decay, initial_accumulator) = (0.0, 0.0);
    let rules = [
        ("adam", UpdateRule::Adam { beta1, beta2, epsilon, placement, amsgrad: false }),
        ("nadam", UpdateRule::Nadam { beta1, beta2, epsilon, momentum_decay: 0.004 }),
        ("adamax", UpdateRule::Adamax { beta1, beta2, epsilon }),
        ("rmsprop", rms(0.99)),
        ("rmsprop, with α = 0.9", rms(0.9)),
        ("adagrad", UpdateRule::Adagrad { learning_rate_decay, initial_accumulator, epsilon: 1e-10, placement }),
    ];
    let is_other = |rule: &UpdateRule| std::mem::discriminant(rule) != std::mem::discriminant(&declared);
    let variants = rules.into_iter().filter(|(_, rule)| is_other(rule)).map(|(name, rule)| {
        let advice = "declare the `optimizer` that runs";
        of_rule("another-optimizer", Kind::Convention, format!("uses the optimizer {name}"), advice, rule)
            .with_bits(2.0)
            .harmless()
    });
    variants.collect()
}

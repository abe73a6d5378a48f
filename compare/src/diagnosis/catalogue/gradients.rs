//! Variants of the gradients.

use mlp_parity_scratch::reference::{ActivationFunction, DerivativeForm, PropagatedWeight};

use super::{Facts, clipping, decay, forward, output};
use crate::check::{Computation, GradientForm, Kind};
use crate::diagnosis::variant::Variant;

pub(super) fn variants(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = Vec::new();
    if facts.has_gradients {
        variants.extend(conventions(facts));
    }
    variants.extend(factors(facts));
    variants.extend(output::variants(facts));
    variants.extend(derivatives(facts));
    variants.extend(propagation(facts));
    variants.extend(biases(facts));
    if facts.has_gradients {
        variants.extend(decay::of_gradients(facts));
    }
    variants
}

/// Recorded numbers that are not the raw gradients.
fn conventions(facts: &Facts<'_>) -> Vec<Variant> {
    if facts.computation.gradient_form != GradientForm::Raw {
        return Vec::new();
    }
    let form = |id: &'static str, form, sentence: &'static str, name: &'static str| {
        Variant::new((id, Kind::Convention), sentence, format!("declare `gradients` {name}"), move |computation| {
            computation.gradient_form = form;
        })
        .harmless()
    };
    let forms = [
        form(
            "gradients-summed",
            GradientForm::Summed,
            "records gradients that are summed over the images, not yet divided by their number",
            "summed",
        ),
        form(
            "gradients-with-decay",
            GradientForm::WithWeightDecay,
            "records gradients that contain weight decay",
            "with-weight-decay",
        ),
        form("gradients-clipped", GradientForm::Clipped, "records gradients after clipping", "clipped"),
    ];
    forms.into_iter().chain(clipping::of_gradients(facts)).collect()
}

/// Constant factors of all gradients, of those of one kind, or of one layer.
fn factors(facts: &Facts<'_>) -> Vec<Variant> {
    let Facts { images, outputs, .. } = *facts;
    let constants = [
        (images, "the number of images"),
        (images.recip(), "1 / the number of images"),
        (2.0, "2"),
        (0.5, "½"),
        (-1.0, "−1"),
        (outputs, "the number of outputs"),
        (outputs.recip(), "1 / the number of outputs"),
        (2.0 / outputs, "2 / the number of outputs"),
        (outputs / 2.0, "half the number of outputs"),
        (2.0 * images, "twice the number of images"),
        (images * outputs, "the number of images times that of outputs"),
        ((images * outputs).recip(), "1 / (images · outputs)"),
        (images / (images - 1.0), "images / (images − 1)"),
        (images / (images + 1.0), "images / (images + 1)"),
        (0.0, "0"),
    ];
    let bits = (constants.len() as f64).log2();
    let mut variants = propagation_factors(facts, &constants, bits);
    let count = facts.layers.len();
    for (factor, name) in constants.into_iter().filter(|(factor, _)| *factor != 1.0 && factor.is_finite()) {
        for (id, factors, which) in [
            ("gradient-factor", [factor; 2], "all gradients"),
            ("weight-gradient-factor", [factor, 1.0], "the gradients of the weights"),
            ("bias-gradient-factor", [1.0, factor], "the gradients of the biases"),
        ] {
            let scope = (0..count).collect();
            variants.push(of_factor(id, factors, scope, format!("multiplies {which} by {name}")).with_bits(bits));
            if let Some(layer) = facts.layer.filter(|_| count > 1) {
                let sentence = format!("multiplies {which} of {} by {name}", facts.layers[layer]);
                variants.push(of_factor(id, factors, vec![layer], sentence).with_bits(bits + 1.0));
                if layer + 1 < count {
                    // From this layer down: δ itself has the factor.
                    let sentence = format!("multiplies {which} from {} down by {name}", facts.layers[layer]);
                    variants.push(of_factor(id, factors, (0..=layer).collect(), sentence).with_bits(bits + 1.0));
                }
            }
        }
    }
    variants
}

/// Factors of δ in every hidden layer, which multiply from layer to layer.
fn propagation_factors(facts: &Facts<'_>, constants: &[(f64, &str)], bits: f64) -> Vec<Variant> {
    let count = facts.layers.len();
    let mut variants = Vec::new();
    for &(factor, name) in constants.iter().filter(|(factor, _)| count > 1 && factor.is_finite() && *factor != 1.0) {
        let sentence = format!("multiplies δ of every hidden layer by {name}");
        let advice =
            "check what is done to δ on its way down, such as a sum or a mean over the batch, or an addition to it";
        let variant =
            Variant::of_specification(("hidden-delta-factor", Kind::Fault), sentence, advice, move |specification| {
                for layer in 0..count - 1 {
                    let power = factor.powi(i32::try_from(count - 1 - layer).unwrap_or(i32::MAX));
                    let old = specification.deviations.factors(layer);
                    specification.deviations.gradient_factors.insert(layer, old.map(|old| old * power));
                }
            });
        variants.push(variant.with_bits(bits));
    }
    variants
}

fn of_factor(id: &'static str, factors: [f64; 2], layers: Vec<usize>, sentence: String) -> Variant {
    let advice = match factors.iter().any(|&factor| factor < 0.0) {
        true => "check the sign of the gradient, and whether the update subtracts it",
        false => "check the division by the number of images, and where sums over the batch become means",
    };
    Variant::of_specification((id, Kind::Fault), sentence, advice, move |specification| {
        for &layer in &layers {
            let old = specification.deviations.factors(layer);
            let product = [old[0] * factors[0], old[1] * factors[1]];
            specification.deviations.gradient_factors.insert(layer, product);
        }
    })
}

/// Other factors in place of the derivative of an activation function.
fn derivatives(facts: &Facts<'_>) -> Vec<Variant> {
    let declared = &facts.computation.specification.activations;
    let mut forms = vec![
        (DerivativeForm::One, "leaves out the derivative of the activation".to_owned()),
        (DerivativeForm::AtActivation, "takes the derivative of the activation at a = f(z) instead of z".to_owned()),
        (DerivativeForm::OfSum, "computes the derivative of the activation, a formula in a, from z".to_owned()),
        (DerivativeForm::Squared, "multiplies by the derivative of the activation twice".to_owned()),
        (DerivativeForm::WrongSign, "has a plus for the minus in the derivative of the activation".to_owned()),
        (DerivativeForm::Activation, "multiplies by the activation instead of its derivative".to_owned()),
        (DerivativeForm::Sum, "multiplies by the sum z instead of the derivative of the activation".to_owned()),
    ];
    for (function, name) in forward::functions() {
        if function != ActivationFunction::Identity && declared.iter().any(|other| *other != function) {
            forms.push((DerivativeForm::Of(function), format!("uses the derivative of {name}")));
        }
    }
    let mut variants = Vec::new();
    let hidden = declared.len();
    for (form, sentence) in forms {
        let mut add = |layers: Vec<usize>, where_: String, bits: f64| {
            let advice = "check the derivative of the activation, and the variable that it is computed from";
            let id = match form {
                DerivativeForm::One => "derivative-missing",
                DerivativeForm::AtActivation => "derivative-at-activation",
                DerivativeForm::OfSum => "derivative-of-sum",
                DerivativeForm::Of(_) => "derivative-of-another-activation",
                DerivativeForm::Squared => "derivative-twice",
                DerivativeForm::WrongSign => "derivative-with-wrong-sign",
                DerivativeForm::Activation => "activation-as-derivative",
                DerivativeForm::Sum => "sum-as-derivative",
            };
            variants.push(
                Variant::of_specification(
                    (id, Kind::Fault),
                    format!("{sentence} in {where_}"),
                    advice,
                    move |specification| {
                        for &layer in &layers {
                            specification.deviations.derivatives.insert(layer, form);
                        }
                    },
                )
                .with_bits(bits),
            );
        };
        if hidden > 0 {
            add(
                (0..hidden).collect(),
                if hidden == 1 { facts.layers[0].clone() } else { "all hidden layers".to_owned() },
                0.0,
            );
        }
        for layer in (0..hidden).filter(|_| hidden > 1) {
            add(vec![layer], facts.layers[layer].clone(), 1.0);
        }
    }
    variants.extend(derivatives_of_other_layers(facts));
    variants.extend(before_derivatives(facts));
    variants
}

/// Gradients that are computed before δ is multiplied by the derivative, which then is propagated.
fn before_derivatives(facts: &Facts<'_>) -> Vec<Variant> {
    let hidden = facts.computation.specification.activations.len();
    let mut scopes: Vec<(Vec<usize>, &str, f64)> = match hidden {
        0 => Vec::new(),
        1 => vec![(vec![0], &facts.layers[0], 0.0)],
        _ => vec![((0..hidden).collect(), "all hidden layers", 0.0)],
    };
    scopes.extend((0..hidden).filter(|_| hidden > 1).map(|layer| (vec![layer], &*facts.layers[layer], 1.0)));
    let mut variants = Vec::new();
    for (layers, which, bits) in scopes {
        for (id, parts, gradients) in [
            ("bias-gradient-before-derivative", [false, true], "the bias gradients"),
            ("weight-gradient-before-derivative", [true, false], "the weight gradients"),
            ("gradients-before-derivative", [true, true], "the gradients"),
        ] {
            // The lowest layer propagates nothing: its derivative is missing altogether, which is another entry.
            if parts == [true; 2] && layers == [0] {
                continue;
            }
            let sentence =
                format!("computes {gradients} of {which} before it multiplies δ by the derivative of the activation");
            let advice = "compute both gradients from the same δ, after its product with f′(z)";
            let layers = layers.clone();
            let variant = Variant::of_specification((id, Kind::Fault), sentence, advice, move |specification| {
                let scope = layers.iter().map(|&layer| (layer, parts));
                specification.deviations.gradients_before_derivative.extend(scope);
            });
            variants.push(variant.with_bits(bits));
        }
    }
    variants
}

/// Derivatives of the activations of another layer of the same width.
fn derivatives_of_other_layers(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = Vec::new();
    let layers = facts.computation.initial.layers();
    let hidden = facts.computation.specification.activations.len();
    for layer in 0..hidden {
        for other in (0..hidden).filter(|&other| other != layer && layers[other].bias.len() == layers[layer].bias.len())
        {
            let (name, other_name) = (&facts.layers[layer], &facts.layers[other]);
            variants.push(Variant::of_specification(
                ("derivative-of-another-layer", Kind::Fault),
                format!("multiplies δ of {name} by the derivative of the activations of {other_name}"),
                "check the index of the layer whose sums or activations the derivative gets",
                move |specification| {
                    specification.deviations.derivative_layers.insert(layer, other);
                },
            ));
        }
    }
    variants
}

/// Other weights that propagate δ, and masks of dropout.
fn propagation(facts: &Facts<'_>) -> Vec<Variant> {
    let count = facts.layers.len();
    let rate = facts.computation.learning_rates.first().copied().unwrap_or_default();
    let mut variants = vec![Variant::of_specification(
        ("dropout-mask-missing-in-backward-pass", Kind::Fault),
        "does not apply the dropout masks in the backward pass",
        "multiply δ of a hidden layer by the mask of its activations",
        |specification| specification.deviations.unmasked_delta = true,
    )];
    let name = ("updated-weights-in-backward-pass", Kind::Fault);
    let sentence = "propagates δ through weights that are already updated";
    let advice = "compute all gradients before the first update";
    if facts.has_steps {
        let change = |computation: &mut Computation| computation.after_update.propagated_weights = true;
        variants.push(Variant::new(name, sentence, advice, change));
    } else if rate > 0.0 {
        variants.push(Variant::of_specification(name, sentence, advice, move |specification| {
            let updated = |layer| (layer, PropagatedWeight::Updated { learning_rate: rate });
            specification.deviations.propagated_weights = (1..count).map(updated).collect();
        }));
    }
    for layer in 1..count {
        let weight = &facts.computation.initial.layers()[layer].weight;
        if weight.nrows() == weight.ncols() {
            variants.push(Variant::of_specification(
                ("transposed-weight-gradient", Kind::Fault),
                format!("transposes the gradient of {}.weight", facts.layers[layer]),
                "check the product of the layer's input with δ, and the order of the axes",
                move |specification| specification.deviations.transposed_gradients.push(layer),
            ));
            variants.push(Variant::of_specification(
                ("untransposed-weight-in-backward-pass", Kind::Fault),
                format!("propagates δ through {}.weight instead of its transpose", facts.layers[layer]),
                "check the product that propagates δ down",
                move |specification| {
                    specification.deviations.propagated_weights.insert(layer, PropagatedWeight::Transposed);
                },
            ));
        }
    }
    variants
}

/// Returns the variant of a network whose biases do not learn.
pub(super) fn no_biases() -> Variant {
    Variant::of_specification(
        ("no-biases", Kind::Convention),
        "has no biases: they stay as they are",
        "leave the biases out of the trace",
        |specification| specification.biases.fill(false),
    )
    // Gradients of zero are a mistake rather than a network without biases.
    .with_bits(4.0)
}

fn biases(facts: &Facts<'_>) -> Vec<Variant> {
    let count = facts.layers.len();
    let advice = "sum δ over the images only: in NumPy, axis=0 if images are rows, axis=1 if they are columns";
    let scalar = |layers: Vec<usize>, which: String| {
        Variant::of_specification(
            ("bias-gradient-summed-over-units", Kind::Fault),
            format!("sums the bias gradients {which} over the units as well as over the images"),
            advice,
            move |specification| specification.deviations.scalar_bias_gradients.clone_from(&layers),
        )
    };
    let averaged =
        [(1.0, "over the units as well"), (facts.images, "over units and images once more")].map(|(images, over)| {
            let layers = facts.computation.initial.layers().iter();
            let factors: Vec<f64> = layers.map(|layer| (layer.bias.len() as f64 * images).recip()).collect();
            Variant::of_specification(
                ("bias-gradient-averaged-over-units", Kind::Fault),
                format!("averages the bias gradients of all layers {over}"),
                advice,
                move |specification| {
                    specification.deviations.scalar_bias_gradients = (0..count).collect();
                    for (layer, &factor) in factors.iter().enumerate() {
                        specification.deviations.gradient_factors.insert(layer, [1.0, factor]);
                    }
                },
            )
        });
    let mut variants = vec![scalar((0..count).collect(), "of all layers".to_owned()), no_biases()];
    variants.extend(averaged);
    if let Some(layer) = facts.layer.filter(|_| count > 1) {
        variants.push(scalar(vec![layer], format!("of {}", facts.layers[layer])).with_bits(1.0));
        variants.push(scalar((0..count - 1).collect(), "of the hidden layers".to_owned()).with_bits(1.0));
    }
    variants
}

//! Variants of the forward pass and of its inputs.

use mlp_parity_scratch::ReferenceMlp;
use mlp_parity_scratch::reference::{ActivationFunction, ProductPrecision, TrainingBatch};
use ndarray::Array2;

use super::Facts;
use crate::check::{Computation, Kind, Precision};
use crate::diagnosis::variant::Variant;

/// Mean and standard deviation of the pixels of MNIST.
const MNIST: [f64; 2] = [0.1307, 0.3081];

pub(super) fn variants(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = activations(facts);
    variants.extend(logits());
    variants.extend(data());
    variants.extend(precisions(facts));
    variants.extend(biases(facts));
    variants.extend(weights(facts));
    variants.extend(recorded());
    variants
}

/// Returns the activation functions with their names.
pub(super) fn functions() -> Vec<(ActivationFunction, &'static str)> {
    vec![
        (ActivationFunction::Sigmoid, "sigmoid"),
        (ActivationFunction::Tanh, "tanh"),
        (ActivationFunction::Relu, "relu"),
        (ActivationFunction::Identity, "identity"),
        (ActivationFunction::LeakyRelu { slope: 0.01 }, "leaky-relu with slope 0.01"),
        (ActivationFunction::LeakyRelu { slope: 0.1 }, "leaky-relu with slope 0.1"),
        (ActivationFunction::LeakyRelu { slope: 0.2 }, "leaky-relu with slope 0.2"),
        (ActivationFunction::LeakyRelu { slope: 0.3 }, "leaky-relu with slope 0.3"),
        (ActivationFunction::Elu { alpha: 1.0 }, "elu"),
        (ActivationFunction::Selu, "selu"),
        (ActivationFunction::Gelu, "gelu"),
        (ActivationFunction::GeluTanh, "gelu-tanh"),
        (ActivationFunction::Silu, "silu"),
        (ActivationFunction::Softplus, "softplus"),
        (ActivationFunction::HardSigmoid { slope: 1.0 / 6.0 }, "hard-sigmoid"),
        (ActivationFunction::HardSigmoid { slope: 0.2 }, "hard-sigmoid with slope 0.2"),
    ]
}

fn activations(facts: &Facts<'_>) -> Vec<Variant> {
    let declared = facts.computation.specification.activations.clone();
    let mut variants = Vec::new();
    for (function, name) in functions() {
        if declared.iter().any(|&other| other != function) {
            variants.push(Variant::of_specification(
                ("another-activation", Kind::Convention),
                format!("uses the activation {name} in the hidden layers"),
                format!(
                    "if that is meant, declare `activation` {}",
                    name.replace(" with slope", ", and `activation_slope`")
                ),
                move |specification| specification.activations.fill(function),
            ));
        }
        for (layer, _) in declared.iter().enumerate().filter(|(_, other)| declared.len() > 1 && **other != function) {
            let layer_name = &facts.layers[layer];
            variants.push(Variant::of_specification(
                ("another-activation-in-one-layer", Kind::Fault),
                format!("uses the activation {name} in {layer_name}"),
                format!("check the activation of {layer_name}; if it is meant, `activation` may name one function for each layer"),
                move |specification| specification.activations[layer] = function,
            ));
        }
    }
    variants
}

fn logits() -> Vec<Variant> {
    let functions = [ActivationFunction::Relu, ActivationFunction::Sigmoid, ActivationFunction::Tanh];
    let variants = functions.into_iter().zip(["relu", "sigmoid", "tanh"]).flat_map(|(function, name)| {
        [(true, ""), (false, ", but not its derivative in the backward pass")].map(|(derivative, text)| {
            Variant::of_specification(
                ("activation-on-logits", Kind::Fault),
                format!("applies {name} to the sums of the output layer{text}"),
                "leave out the activation of the output layer: the output function takes its place",
                move |specification| {
                    specification.deviations.logits_function = Some(function);
                    specification.deviations.logits_derivative = derivative;
                },
            )
        })
    });
    variants.collect()
}

/// Changes the images of all batches.
fn images(computation: &mut Computation, change: impl Fn(f64) -> f64) {
    computation.batches.iter_mut().for_each(|batch| batch.images.mapv_inplace(&change));
}

/// Exchanges the rows and columns of square pictures; leaves others as they are.
fn transpose_pictures(images: &mut Array2<f64>) {
    let side = images.ncols().isqrt();
    if side * side == images.ncols() {
        let original = images.clone();
        images.indexed_iter_mut().for_each(|((image, pixel), value)| {
            *value = original[[image, pixel % side * side + pixel / side]];
        });
    }
}

/// Changes the dropout masks of a batch.
fn masks(batch: &mut TrainingBatch<f64>, change: impl Fn(&Array2<f64>) -> Option<Array2<f64>>) {
    batch.masks = batch.masks.iter().map(|mask| mask.as_ref().and_then(&change)).collect();
}

fn data() -> Vec<Variant> {
    let mut variants = pixels();
    variants.extend(dropout());
    variants
}

/// Other pixels than the recorded ones.
fn pixels() -> Vec<Variant> {
    let scaled = |id: &'static str, sentence: &'static str, change: fn(f64) -> f64| {
        Variant::new(
            (id, Kind::Data),
            sentence,
            "record the images in the form in which the network gets them",
            move |computation| images(computation, change),
        )
    };
    vec![
        scaled("pixels-times-255", "has pixels from 0 to 255 where the trace has pixels from 0 to 1", |pixel| {
            255.0 * pixel
        }),
        scaled("pixels-divided-by-255", "divides the pixels by 255", |pixel| pixel / 255.0),
        scaled("pixels-truncated", "truncates the pixels to whole numbers", f64::trunc),
        scaled("pixels-thresholded", "has pixels of 0 and 1, with a threshold of ½", |pixel| {
            f64::from(u8::from(pixel > 0.5))
        }),
        scaled("pixels-inverted", "has inverted pixels, 1 − x", |pixel| 1.0 - pixel),
        scaled("pixels-centred", "has pixels from −1 to 1, 2x − 1", |pixel| 2.0 * pixel - 1.0),
        scaled("pixels-normalized", "normalizes the pixels by mean and deviation of MNIST", |pixel| {
            (pixel - MNIST[0]) / MNIST[1]
        }),
        Variant::new(
            ("pixels-transposed", Kind::Data),
            "has the rows and columns of the pictures exchanged",
            "record the images in the form in which the network gets them",
            |computation| computation.batches.iter_mut().for_each(|batch| transpose_pictures(&mut batch.images)),
        ),
        scaled("pixels-divided-by-256", "divides pixels from 0 to 255 by 256", |pixel| pixel * 255.0 / 256.0),
        scaled("pixels-rounded", "rounds the pixels to single precision", |pixel| f64::from(pixel as f32)),
        scaled("pixels-rounded", "rounds the pixels to half precision", |pixel| ProductPrecision::F16.round(pixel)),
        scaled("pixels-rounded", "rounds the pixels to bfloat16", |pixel| ProductPrecision::Bf16.round(pixel)),
    ]
}

/// Other masks of dropout than the recorded ones.
fn dropout() -> Vec<Variant> {
    vec![
        Variant::new(
            ("dropout-mask-unscaled", Kind::Fault),
            "does not scale the activations that dropout keeps",
            "divide kept activations by the probability of keeping them, or record the masks that were applied",
            |computation| {
                let unscaled = |mask: &Array2<f64>| Some(mask.mapv(|value| f64::from(u8::from(value != 0.0))));
                computation.batches.iter_mut().for_each(|batch| masks(batch, unscaled));
            },
        ),
        Variant::new(
            ("dropout-unused", Kind::Data),
            "does not apply the recorded dropout masks",
            "record the masks that were applied to these batches",
            |computation| computation.batches.iter_mut().for_each(|batch| masks(batch, |_| None)),
        ),
    ]
}

fn precisions(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = Vec::new();
    if facts.computation.precision == Precision::Double {
        variants.push(Variant::new(
            ("single-precision", Kind::Precision),
            "computes in single precision",
            "if that is meant, declare `precision` f32; else look for float32 arrays or literals",
            |computation| computation.set_precision(Precision::Single),
        ));
    }
    for (products, name) in
        [(ProductPrecision::Tf32, "tf32"), (ProductPrecision::Bf16, "bf16"), (ProductPrecision::F16, "f16")]
    {
        if facts.computation.specification.products == ProductPrecision::Full {
            variants.push(Variant::new(
                ("rounded-products", Kind::Precision),
                format!("rounds the factors of matrix products to {name}"),
                format!("if that is meant, declare `precision` {name}; else set the library to full precision"),
                move |computation| {
                    computation.set_precision(Precision::Single);
                    computation.specification.products = products;
                },
            ));
            variants.push(Variant::new(
                ("rounded-products-and-sums", Kind::Precision),
                format!("rounds the factors of matrix products and the terms of bias gradients to {name}"),
                format!("if that is meant, declare `precision` {name}; else set the library to full precision"),
                move |computation| {
                    computation.set_precision(Precision::Single);
                    computation.specification.products = products;
                    computation.specification.deviations.rounded_bias_gradients = true;
                },
            ));
        }
    }
    variants
}

/// Biases that are not used.
pub(super) fn biases(facts: &Facts<'_>) -> Vec<Variant> {
    let count = facts.layers.len();
    let unused = |layers: Vec<usize>, text: &str| {
        Variant::of_specification(
            ("bias-unused", Kind::Fault),
            format!("does not add the biases{text} in the forward pass"),
            "add the bias to the sums, and check that the layer gets the recorded one",
            move |specification| specification.deviations.unused_biases.clone_from(&layers),
        )
    };
    let mut variants = vec![unused((0..count).collect(), "")];
    for (layer, name) in facts.layers.iter().enumerate().filter(|_| count > 1) {
        variants.push(unused(vec![layer], &format!(" of {name}")));
    }
    variants.push(Variant::new(
        ("initial-biases-zero", Kind::Data),
        "starts with biases of zero",
        "check that the program starts with the recorded biases",
        |computation| computation.initial.layers_mut().iter_mut().for_each(|layer| layer.bias.fill(0.0)),
    ));
    variants
}

/// Square weights that are transposed, one of them or all.
fn weights(facts: &Facts<'_>) -> Vec<Variant> {
    let layers = facts.computation.initial.layers();
    let square: Vec<usize> = (0..layers.len()).filter(|&layer| layers[layer].weight.is_square()).collect();
    let transposed = |layers: Vec<usize>, names: &str, advice: String| {
        let tensors: Vec<String> = layers.iter().map(|&layer| format!("{}.weight", facts.layers[layer])).collect();
        Variant::of_results(
            ("weight-transposed", Kind::Data),
            format!("uses the transpose of {names}"),
            advice,
            move |computation, results| {
                for &layer in &layers {
                    let weight = &mut computation.initial.layers_mut()[layer].weight;
                    *weight = weight.t().as_standard_layout().into_owned();
                }
                let recorded = results.steps.iter_mut().map(|step| &mut step.parameters);
                for tensors_by_name in recorded.chain([&mut results.gradients]) {
                    for tensor in &tensors {
                        if let Some(values) = tensors_by_name.get_mut(tensor) {
                            *values = values.t().as_standard_layout().into_owned();
                        }
                    }
                }
            },
        )
    };
    let mut variants = Vec::new();
    if square.len() > 1 {
        let advice =
            "the weights are square, so that their shapes do not tell the order of the axes: declare `weights`";
        variants.push(transposed(square.clone(), "all square weights", advice.to_owned()));
    }
    for layer in square {
        let name = &facts.layers[layer];
        let advice = format!("the weight is square; check its axes in the file, or the product of {name}");
        variants.push(transposed(vec![layer], &format!("{name}.weight"), advice));
    }
    variants
}

/// Results that were recorded under the name of others.
fn recorded() -> Vec<Variant> {
    vec![
        Variant::of_results(
            ("outputs-as-logits", Kind::Data),
            "has recorded the outputs as the logits",
            "record the sums before the output function as logits, or call these numbers outputs",
            |_, results| {
                if results.outputs.is_none() {
                    results.outputs = results.logits.take();
                }
            },
        ),
        Variant::of_results(
            ("log-probabilities-as-logits", Kind::Data),
            "has recorded log-probabilities, z − ln Σ exp z, as the logits",
            "record the sums z of the output layer",
            |computation, results| {
                let sums =
                    ReferenceMlp::with_specification(computation.specification.clone(), computation.initial.clone())
                        .and_then(|network| network.logits(computation.batches[0].images.view()));
                if let (Some(logits), Ok(sums)) = (&mut results.logits, sums) {
                    for (mut row, sums) in logits.rows_mut().into_iter().zip(sums.rows()) {
                        let largest = sums.fold(f64::NEG_INFINITY, |largest, &z| largest.max(z));
                        let normalizer = largest + sums.fold(0.0, |sum, &z| sum + (z - largest).exp()).ln();
                        row += normalizer;
                    }
                }
            },
        ),
        Variant::of_results(
            ("logits-as-outputs", Kind::Data),
            "has recorded the logits as the outputs",
            "call these numbers logits, or apply the output function",
            |_, results| {
                if results.logits.is_none() {
                    results.logits = results.outputs.take();
                }
            },
        ),
    ]
}

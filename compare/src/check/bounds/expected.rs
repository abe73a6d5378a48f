//! What one batch must give, and how far from it a candidate may be: equations (5) to (13).

use mlp_parity::{Activation, Arithmetic, Batch, MlpConfig, Parameters, Result};
use mlp_parity_scratch::{Passes, ReferenceMlp};
use ndarray::{Array2, Axis};

use super::bounded_matrix::{BoundedMatrix, Error, squared_roundoff};
use super::confidence::LAMBDA;
use super::samples::{Keep, Propagation, Samples};
use super::softmax::{self, CrossEntropy};

/// Logits, loss and gradients of one batch.
pub(in crate::check) struct Expected {
    /// The reference's gradients.
    pub(in crate::check) reference: Parameters<f64>,
    pub(in crate::check) logits: BoundedMatrix,
    /// One element.
    pub(in crate::check) loss: BoundedMatrix,
    /// By name; a bias is one row.
    pub(in crate::check) gradients: Vec<(String, BoundedMatrix)>,
    /// Units whose side of ReLU's kink rounding may decide.
    pub(in crate::check) undecided: Vec<HiddenUnit>,
}

/// A hidden unit on one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HiddenUnit {
    /// The hidden layer, counted from 1.
    pub layer: usize,
    /// The image of the batch.
    pub image: usize,
    /// The unit of the layer.
    pub unit: usize,
}

impl Expected {
    /// The reference's values, and what a candidate with this arithmetic may make of them.
    ///
    /// # Errors
    ///
    /// If the batch or the parameters do not fit the network.
    pub(in crate::check) fn new(
        config: &MlpConfig,
        parameters: &Parameters<f64>,
        batch: &Batch<f64>,
        arithmetic: &Arithmetic,
    ) -> Result<Self> {
        let reference = ReferenceMlp::new(config.clone(), parameters.clone())?;
        let passes = reference.passes(batch)?;
        let layers = parameters.layers();
        let weights: Vec<BoundedMatrix> =
            layers.iter().map(|layer| BoundedMatrix::exact(layer.weight.clone())).collect();
        let propagation = &mut Propagation::new(arithmetic);
        let mut inputs = vec![BoundedMatrix::exact(batch.images().to_owned())];
        let mut derivatives = Vec::new();
        let mut undecided = Vec::new();
        for (index, layer) in layers.iter().enumerate() {
            let sums = inputs[index].product(&weights[index], Some(&layer.bias), propagation, Keep::Draws);
            if index + 1 == layers.len() {
                inputs.push(BoundedMatrix { value: passes.activations[index].clone(), ..sums });
                continue;
            }
            let hidden = Hidden::new(config.activation(), &sums, &passes.activations[index], propagation);
            undecided.extend(hidden.undecided.iter().map(|&(image, unit)| HiddenUnit {
                layer: index + 1,
                image,
                unit,
            }));
            derivatives.push(hidden.derivative);
            inputs.push(hidden.activation);
        }
        let logits = inputs.pop().unwrap_or_else(|| BoundedMatrix::exact(Array2::zeros([0, 0])));
        let CrossEntropy { loss, delta } = softmax::cross_entropy(&logits, batch.labels(), &passes, propagation);
        let gradients = backward(&passes, &inputs, &weights, &derivatives, delta, propagation);
        let gradients = parameters.tensors().map(|(name, _)| name).zip(gradients.into_iter().flatten()).collect();
        Ok(Self { reference: passes.gradients, logits, loss, gradients, undecided })
    }
}

impl Expected {
    /// Whether a candidate can hold the logits, and the squares of the gradients that some rules take. Where it cannot,
    /// nothing can be said of it.
    pub(in crate::check) fn is_representable(&self, arithmetic: &Arithmetic) -> bool {
        let most = arithmetic.overflow.sqrt();
        let fits = |values: &Array2<f64>| values.iter().all(|value| value.abs() <= most);
        fits(&self.logits.value) && self.gradients.iter().all(|(_, gradient)| fits(&gradient.value))
    }
}

/// Every gradient's name, the largest magnitude in it, and the most that one of its elements may be off by in single
/// precision: how sharp the check is on this batch.
///
/// # Errors
///
/// If the batch or the parameters do not fit the network.
pub fn gradient_error_bounds(
    config: &MlpConfig,
    parameters: &Parameters<f32>,
    batch: &Batch<f32>,
) -> Result<Vec<(String, f64, f64)>> {
    let expected = Expected::new(config, &parameters.cast(), &batch.cast(), &Arithmetic::SINGLE)?;
    let largest = |values: &Array2<f64>| values.fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let one = |(name, gradient): (String, BoundedMatrix)| {
        let bound = gradient.error.map_or(0.0, |error| largest(&error.bound()));
        (name, largest(&gradient.value), bound)
    };
    Ok(expected.gradients.into_iter().map(one).collect())
}

/// Equations (11) to (13), from the output layer down.
fn backward(
    passes: &Passes<f64>,
    inputs: &[BoundedMatrix],
    weights: &[BoundedMatrix],
    derivatives: &[BoundedMatrix],
    mut delta: BoundedMatrix,
    propagation: &mut Propagation,
) -> Vec<[BoundedMatrix; 2]> {
    let ones = BoundedMatrix::exact(Array2::ones([1, delta.value.nrows()]));
    let mut gradients = Vec::new();
    for index in (0..inputs.len()).rev() {
        let reference = &passes.gradients.layers()[index];
        let weight = inputs[index].transposed().product(&delta, None, propagation, Keep::Nothing);
        let bias = ones.product(&delta, None, propagation, Keep::Nothing);
        gradients.push([
            BoundedMatrix { value: reference.weight.clone(), ..weight },
            BoundedMatrix { value: reference.bias.clone().insert_axis(Axis(0)), ..bias },
        ]);
        if let Some(below) = index.checked_sub(1) {
            let sums = delta.product(&weights[index].transposed(), None, propagation, Keep::Draws);
            delta = through_derivative(&sums, &derivatives[below], &passes.deltas[below], propagation);
        }
    }
    gradients.reverse();
    gradients
}

/// δ = G ∘ f′, equation (12).
fn through_derivative(
    sums: &BoundedMatrix,
    derivative: &BoundedMatrix,
    value: &Array2<f64>,
    propagation: &mut Propagation,
) -> BoundedMatrix {
    let arithmetic = propagation.arithmetic;
    let squared_roundoff = squared_roundoff(&arithmetic);
    let roundoff = squared_roundoff.sqrt();
    let (Some(of_sums), Some(of_derivative)) = (&sums.error, &derivative.error) else {
        return BoundedMatrix::exact(value.clone());
    };
    let mut variance = squared_roundoff * value * value + arithmetic.underflow.powi(2);
    let mut worst = roundoff * value.mapv(f64::abs) + arithmetic.underflow;
    let through = of_sums.samples.zip(&of_derivative.samples, |of_sums, of_derivative| {
        of_sums * &derivative.value + of_derivative * &sums.value
    });
    let samples = through.with_noise(&variance, propagation);
    let slope = derivative.value.mapv(f64::abs);
    variance += &(&of_sums.variance * &slope * &slope);
    variance += &(&sums.value * &sums.value * &of_derivative.variance);
    worst += &(&of_sums.worst * &slope);
    worst += &(sums.value.mapv(f64::abs) * &of_derivative.worst);
    let alike = of_sums.alike.as_ref().map(|alike| alike * &slope * &slope);
    // A unit whose side is open may let its whole sum through, or nothing.
    let mut undecided =
        of_derivative.undecided.as_ref().map(|open| (sums.value.mapv(f64::abs) + of_sums.rounding()) * open);
    if let Some(of_sums) = &of_sums.undecided {
        let open = of_derivative.undecided.as_ref().map_or_else(|| slope.clone(), |open| open + &slope);
        let change = of_sums * &open.mapv(|slope| slope.min(1.0));
        undecided = Some(undecided.map_or_else(|| change.clone(), |sum| sum + &change));
    }
    BoundedMatrix { value: value.clone(), error: Some(Error { variance, samples, worst, alike, undecided }) }
}

/// Activations of a hidden layer and the derivative at them, equations (5) to (7).
struct Hidden {
    activation: BoundedMatrix,
    derivative: BoundedMatrix,
    /// Image and unit.
    undecided: Vec<(usize, usize)>,
}

impl Hidden {
    fn new(function: Activation, sums: &BoundedMatrix, value: &Array2<f64>, propagation: &mut Propagation) -> Self {
        let shape = value.raw_dim();
        let mut hidden = Self {
            activation: BoundedMatrix { value: value.clone(), error: None },
            derivative: BoundedMatrix { value: Array2::zeros(shape), error: None },
            undecided: Vec::new(),
        };
        let (mut of_activation, mut of_derivative) = (Error::zeros(shape), Error::zeros(shape));
        // What the errors of the sums become, and what is new: in the activation, from there in the derivative, and there.
        let [mut bend, mut through, mut own, mut rounding] = [(); 4].map(|()| Array2::zeros(shape));
        if let Some(of_sums) = &sums.error {
            for ((index, &z), &a) in sums.value.indexed_iter().zip(value) {
                let element = Element::new(
                    function,
                    z,
                    a,
                    [of_sums.variance[index], of_sums.worst[index]],
                    &propagation.arithmetic,
                );
                hidden.derivative.value[index] = element.derivative;
                [of_activation.variance[index], of_derivative.variance[index]] = element.variances;
                [of_activation.worst[index], of_derivative.worst[index]] = element.worst;
                [bend[index], through[index], own[index], rounding[index]] =
                    [element.bend, element.through, element.own.powi(2), element.rounding.powi(2)];
                if element.undecided {
                    hidden.undecided.push(index);
                }
            }
            let fresh = Samples::zeros(shape).with_noise(&own, propagation);
            let slope = &hidden.derivative.value;
            of_activation.samples = of_sums.samples.zip(&fresh, |of_sums, fresh| of_sums * slope + fresh);
            let bent = of_sums.samples.zip(&fresh, |of_sums, fresh| of_sums * &bend + fresh * &through);
            of_derivative.samples = bent.with_noise(&rounding, propagation);
        }
        if !hidden.undecided.is_empty() {
            let mut open = Array2::zeros(shape);
            hidden.undecided.iter().for_each(|&index| open[index] = 1.0);
            of_derivative.undecided = Some(open);
        }
        hidden.activation.error = Some(of_activation);
        hidden.derivative.error = Some(of_derivative);
        hidden
    }
}

/// One unit on one image.
struct Element {
    derivative: f64,
    /// Of the activation and of the derivative.
    variances: [f64; 2],
    /// The same.
    worst: [f64; 2],
    /// f″ at z, and ∂f′/∂a.
    bend: f64,
    through: f64,
    /// What the function itself is off by, and what f′ is besides.
    own: f64,
    rounding: f64,
    undecided: bool,
}

impl Element {
    fn new(function: Activation, z: f64, a: f64, [variance, worst]: [f64; 2], arithmetic: &Arithmetic) -> Self {
        let error = (LAMBDA * variance.sqrt()).min(worst);
        if function == Activation::Relu {
            let open = z.abs() <= error && error > 0.0;
            let passes = z > 0.0 || open;
            let of_activation = if passes { [variance, worst] } else { [0.0, 0.0] };
            return Self {
                derivative: f64::from(u8::from(z > 0.0)),
                variances: [of_activation[0], 0.0],
                worst: [of_activation[1], 0.0],
                bend: 0.0,
                through: 0.0,
                own: 0.0,
                rounding: 0.0,
                undecided: open,
            };
        }
        // The steepest slope, and the largest change of the slope, that z can meet within its own error.
        let nearest = (z.abs() - error).max(0.0);
        let roundoff = squared_roundoff(arithmetic).sqrt();
        let [derivative, steepest, sharpest, own, through] = if function == Activation::Sigmoid {
            let slope = |z: f64| (-z.abs()).exp() / (1.0 + (-z.abs()).exp()).powi(2);
            let [relative, of_logarithm] = arithmetic.sigmoid;
            let logarithm = if a > 0.0 { -a.ln() } else { z.abs() };
            let own = roundoff * a * (relative + of_logarithm * logarithm) + arithmetic.underflow;
            let sharpest = slope(nearest) * ((1.0 - 2.0 * a).abs() + error / 2.0).min(1.0);
            [a * (1.0 - a), slope(nearest), sharpest, own, 1.0 - 2.0 * a]
        } else {
            let slope = |z: f64| z.cosh().powi(-2);
            let [relative, absolute] = arithmetic.tanh;
            let own = roundoff * (a.abs() * relative + absolute) + arithmetic.underflow;
            [1.0 - a * a, slope(nearest), 2.0 * slope(nearest) * (a.abs() + error).min(1.0), own, -2.0 * a]
        };
        // f′ is computed from the rounded activation, by a product and a difference.
        let rounding = roundoff * (2.0 * derivative + a * a);
        Self {
            derivative,
            variances: [
                steepest.powi(2) * variance + own * own,
                sharpest.powi(2) * variance + (through * own).powi(2) + rounding * rounding,
            ],
            worst: [steepest * worst + own, sharpest * worst + through.abs() * own + rounding],
            bend: through * derivative,
            through,
            own,
            rounding,
            undecided: false,
        }
    }
}

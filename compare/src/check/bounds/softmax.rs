//! Softmax and cross-entropy: equations (8) to (10).

use mlp_parity::Arithmetic;
use mlp_parity_scratch::Passes;
use ndarray::{Array2, ArrayView1, Axis, Ix2};

use super::bounded_matrix::{BoundedMatrix, Error, squared_roundoff};
use super::confidence::LAMBDA;
use super::samples::{Propagation, Samples};

/// Above this error of an exponent, exp is no longer nearly linear.
const LINEAR: f64 = 0.1;

pub(in crate::check) struct CrossEntropy {
    /// ℒ, one element.
    pub(in crate::check) loss: BoundedMatrix,
    /// δᴸ
    pub(in crate::check) delta: BoundedMatrix,
}

pub(in crate::check) fn cross_entropy(
    logits: &BoundedMatrix,
    labels: &[usize],
    passes: &Passes<f64>,
    propagation: &mut Propagation,
) -> CrossEntropy {
    let arithmetic = &propagation.arithmetic.to_owned();
    let shape = logits.value.raw_dim();
    let images = labels.len() as f64;
    let squared_roundoff = squared_roundoff(arithmetic);
    let roundoff = squared_roundoff.sqrt();
    let [mut variance, mut worst, mut alike, mut roundings, mut probabilities, mut exponents] =
        [(); 6].map(|()| Array2::zeros(shape));
    // Where all images have nearly the same probabilities, exp, sum and division round them alike.
    let of_probability = roundoff * (arithmetic.exponential[0] + arithmetic.division + 2.0) / images;
    let (mut undecided, mut open_loss) = (None, 0.0);
    let [mut of_loss, mut worst_of_loss, mut losses, mut squares] = [0.0; 4];
    for (image, &label) in labels.iter().enumerate() {
        let row = Row::new(logits, image, label, arithmetic);
        for (class, &p) in row.probabilities.iter().enumerate() {
            let y = f64::from(u8::from(class == label));
            let error = row.probability_error(class);
            let rounding = squared_roundoff * (3.0 * p * p + 2.0 * (p - y) * (p - y) + y) / (images * images);
            variance[[image, class]] = error[0] / (images * images) + rounding;
            roundings[[image, class]] = rounding;
            probabilities[[image, class]] = p;
            exponents[[image, class]] = row.own_exponents[class];
            if error[2] > 0.0 {
                undecided.get_or_insert_with(|| Array2::zeros(shape))[[image, class]] = error[2] / images;
            }
            alike[[image, class]] = (of_probability * p).powi(2);
            worst[[image, class]] = (error[1] + roundoff * (3.0 * p + 2.0 * (p - y).abs() + y)) / images;
        }
        let error = row.loss_error(label);
        of_loss += error[0];
        worst_of_loss += error[1];
        open_loss += error[2];
        losses += row.loss.abs();
        squares += row.loss * row.loss;
    }
    of_loss += squared_roundoff * (images * (losses * losses / 3.0 + squares / 6.0) + 2.0 * losses * losses);
    worst_of_loss += (images + 2.0) * roundoff * losses;
    let samples = samples(logits, &probabilities, &exponents, images, propagation).with_noise(&roundings, propagation);
    let delta = passes.deltas.last().cloned().unwrap_or_else(|| Array2::zeros(shape));
    let one = |value| Array2::from_elem([1, 1], value);
    CrossEntropy {
        loss: BoundedMatrix {
            value: one(passes.loss),
            error: Some(Error {
                variance: one(of_loss / (images * images)),
                worst: one(worst_of_loss / images),
                samples: Samples::zeros(Ix2(1, 1)),
                undecided: (open_loss > 0.0).then(|| one(open_loss / images)),
                alike: None,
            }),
        },
        delta: BoundedMatrix {
            value: delta,
            error: Some(Error { variance, samples, worst, alike: Some(alike), undecided }),
        },
    }
}

/// What errors of the logits become in δ: p (e − Σ p e) / m.
fn samples(
    logits: &BoundedMatrix,
    probabilities: &Array2<f64>,
    exponents: &Array2<f64>,
    images: f64,
    propagation: &mut Propagation,
) -> Samples {
    let of_logits = logits.error.as_ref().map(|error| error.samples.clone());
    let errors = of_logits.unwrap_or_else(|| Samples::zeros(logits.value.raw_dim())).with_noise(exponents, propagation);
    errors.map(|errors| {
        let common = (errors * probabilities).sum_axis(Axis(1)).insert_axis(Axis(1));
        (errors - &common) * probabilities / images
    })
}

/// One image.
struct Row<'a> {
    arithmetic: &'a Arithmetic,
    probabilities: Vec<f64>,
    /// E² of each zⱼ − ln Σ exp z, without what the sum and the division add.
    exponents: Vec<f64>,
    /// The part of it that is not the logit's.
    own_exponents: Vec<f64>,
    /// The most that each may be off by.
    worst: Vec<f64>,
    /// The largest error of an exponent: λE, and at most.
    largest: [f64; 2],
    loss: f64,
    /// u² of what the logarithm and the differences around it are off by.
    of_logarithm: f64,
}

impl<'a> Row<'a> {
    fn new(logits: &BoundedMatrix, image: usize, label: usize, arithmetic: &'a Arithmetic) -> Self {
        let z: ArrayView1<'_, f64> = logits.value.row(image);
        let maximum = z.fold(f64::NEG_INFINITY, |maximum, &z| maximum.max(z));
        let logarithm = z.iter().map(|z| (z - maximum).exp()).sum::<f64>().ln();
        let total = maximum + logarithm;
        let roundoff = squared_roundoff(arithmetic).sqrt();
        let [at_zero, of_argument] = arithmetic.exponential;
        let [relative, absolute] = arithmetic.logarithm;
        let own_logarithm = [relative * logarithm, absolute, total];
        let mut row = Self {
            arithmetic,
            probabilities: Vec::with_capacity(z.len()),
            exponents: Vec::with_capacity(z.len()),
            own_exponents: Vec::with_capacity(z.len()),
            worst: Vec::with_capacity(z.len()),
            largest: [0.0; 2],
            loss: total - z[label],
            of_logarithm: roundoff.powi(2) * own_logarithm.iter().map(|own| own * own).sum::<f64>(),
        };
        for (class, &z) in z.iter().enumerate() {
            let shifted = (z - maximum).abs();
            let own = [shifted, at_zero + of_argument * shifted, total - z];
            let (mut variance, mut worst) = (0.0, 0.0);
            if let Some(error) = &logits.error {
                (variance, worst) = (error.variance[[image, class]], error.worst[[image, class]]);
            }
            let own_variance = roundoff.powi(2) * own.iter().map(|own| own * own).sum::<f64>() + row.of_logarithm;
            variance += own_variance;
            row.own_exponents.push(own_variance);
            worst += roundoff * own.iter().chain(&own_logarithm).map(|own| own.abs()).sum::<f64>();
            row.probabilities.push((z - total).exp());
            row.exponents.push(variance);
            row.worst.push(worst);
            let error = row.exponent_error(class);
            row.largest = [row.largest[0].max(error[0]), row.largest[1].max(error[1])];
        }
        row
    }

    /// What an exponent may be off by: min(λE, worst), and at most.
    fn exponent_error(&self, class: usize) -> [f64; 2] {
        [(LAMBDA * self.exponents[class].sqrt()).min(self.worst[class]), self.worst[class]]
    }

    /// E² of a probability, the most it may be off by, and what is no matter of chance; equation (9).
    fn probability_error(&self, class: usize) -> [f64; 3] {
        let p = self.probabilities[class];
        let classes = self.probabilities.len() as f64;
        let rounding = squared_roundoff(self.arithmetic) * (classes + self.arithmetic.division.powi(2)) * p * p
            + self.arithmetic.underflow.powi(2);
        let error = self.exponent_error(class);
        // A probability changes at most by exp of the errors of its own exponent and of the largest one.
        let change = |which: usize| (p * (error[which] + self.largest[which]).exp_m1()).min(1.0);
        let linear = |(other, (&q, &variance)): (usize, (&f64, &f64))| {
            variance * if other == class { p * (1.0 - p) } else { p * q }.powi(2)
        };
        let (variance, open) = if self.largest[0] <= LINEAR {
            let sum: f64 = self.probabilities.iter().zip(&self.exponents).enumerate().map(linear).sum();
            (sum * (2.0 * self.largest[0]).exp(), 0.0)
        } else {
            (0.0, change(0))
        };
        [variance + rounding, change(1) + classes * rounding.sqrt(), open]
    }

    /// E² of the image's loss, the most it may be off by, and what is no matter of chance; equation (8).
    fn loss_error(&self, label: usize) -> [f64; 3] {
        let classes = self.probabilities.len() as f64;
        let rounding = squared_roundoff(self.arithmetic) * (classes + 2.0 * self.loss * self.loss) + self.of_logarithm;
        let y = |class: usize| f64::from(u8::from(class == label));
        let (variance, open) = if self.largest[0] <= LINEAR {
            let of = |(class, (&p, &variance)): (usize, (&f64, &f64))| (p - y(class)).powi(2) * variance;
            (self.probabilities.iter().zip(&self.exponents).enumerate().map(of).sum(), 0.0)
        } else {
            (0.0, self.exponent_error(label)[0] + self.largest[0])
        };
        [variance + rounding, self.worst[label] + self.largest[1] + (classes + 4.0) * rounding.sqrt(), open]
    }
}

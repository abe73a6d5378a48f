//! Checks correct candidates on random networks, data and optimizers, whose values span many orders of magnitude. No
//! check may fail.
//!
//! The full test, which also prints the error ratios:
//!
//! ```sh
//! MLP_PARITY_CONFIGURATIONS=1000 cargo test --release --workspace --test across -- random_configurations --nocapture
//! ```

use std::collections::BTreeMap;

use mlp_parity::{Activation, Batch, Dataset, MlpConfig, Optimizer, Parameters};
use mlp_parity_compare::Candidate;
use mlp_parity_compare::check::{self, Case, NamedOptimizer};
use ndarray::Array2;

use crate::draw::Draw;

/// Default of the environment variable `MLP_PARITY_CONFIGURATIONS`, the number of configurations that are drawn.
const CONFIGURATIONS: u64 = 150;

/// Number of configurations on a GPU. It is small because kernels are compiled for each new shape.
const WGPU_CONFIGURATIONS: u64 = 4;

impl Draw {
    fn config(&mut self) -> MlpConfig {
        let hidden: Vec<usize> = (0..self.count(0, 5)).map(|_| self.count(1, 40)).collect();
        let activation = self.one_of(&[Activation::Sigmoid, Activation::Relu, Activation::Tanh]);
        MlpConfig::new(self.count(1, 60), &hidden, self.count(2, 12), activation).unwrap()
    }

    /// Draws parameters whose magnitude differs from layer to layer, by up to 12 orders. The product of the magnitudes,
    /// starting with that of the images (`exponent` is its decimal logarithm), is limited so that values and their
    /// squares do not overflow in single precision.
    fn parameters(&mut self, config: &MlpConfig, exponent: f64) -> Parameters<f32> {
        let mut parameters = Parameters::<f32>::glorot_uniform(config, self.seed());
        let mut total_exponent = exponent;
        for layer in parameters.layers_mut() {
            let exponent = self.number(-6.0, 6.0).clamp(-8.0 - total_exponent, 8.0 - total_exponent);
            total_exponent += exponent;
            let scale = 10.0_f64.powf(exponent) as f32;
            // In some layers most weights have the same sign, so that errors are correlated.
            let shift = self.one_of(&[0.0, 0.0, 0.3]);
            layer.weight.mapv_inplace(|weight| (weight + shift) * scale);
            let bias_scale = self.one_of(&[0.0, 1.0, 10.0]) as f32 * scale;
            layer.bias.mapv_inplace(|_| self.number(-1.0, 1.0) as f32 * bias_scale);
        }
        parameters
    }

    /// Draws a batch of images with values from `lowest` to 1, times `scale`, and with a fraction of zeros.
    fn batch(&mut self, config: &MlpConfig, images: usize, scale: f64, zeros: f64, lowest: f64) -> Batch<f32> {
        let images = Array2::from_shape_fn([images, config.inputs()], |_| {
            let value = self.number(lowest, 1.0) * scale;
            if self.number(0.0, 1.0) < zeros { 0.0 } else { value as f32 }
        });
        let labels = (0..images.nrows()).map(|_| self.count(0, config.classes() - 1)).collect();
        Batch::new(images, labels).unwrap()
    }

    fn optimizer(&mut self) -> NamedOptimizer {
        let weight_decay = self.one_of(&[0.0, 1e-6, 1e-4, 0.1]);
        let (beta1, beta2) = (self.number(0.0, 0.99), 1.0 - self.magnitude(-4.0, -0.3));
        let epsilon = self.magnitude(-10.0, -3.0);
        let optimizer = match self.count(0, 4) {
            0 => Optimizer::Sgd { weight_decay },
            1 => Optimizer::Momentum { momentum: self.number(0.0, 0.99), nesterov: false, weight_decay },
            2 => Optimizer::Momentum { momentum: self.number(0.1, 0.99), nesterov: true, weight_decay },
            3 => Optimizer::Adam { beta1, beta2, epsilon, weight_decay },
            _ => Optimizer::AdamW { beta1, beta2, epsilon, weight_decay },
        };
        NamedOptimizer { name: optimizer.to_string(), optimizer, learning_rate: self.magnitude(-5.0, 0.0) }
    }
}

/// Draws a test case with one optimizer: a network, batches and a data set. The same seed gives the same case.
pub(crate) fn case(seed: u64) -> Case {
    let mut draw = Draw::new(seed);
    let config = draw.config();
    let exponent = draw.number(-6.0, 6.0);
    let parameters = draw.parameters(&config, exponent);
    let (size, zeros, lowest) = (draw.count(1, 70), draw.one_of(&[0.0, 0.5, 0.9]), draw.one_of(&[-1.0, 0.0]));
    let scale = 10.0_f64.powf(exponent);
    let batches = (0..4).map(|_| draw.batch(&config, size, scale, zeros, lowest)).collect();
    let dataset = Dataset::synthetic(size * 3 + 1, [1, config.inputs()], config.classes(), seed).unwrap();
    Case { parameters, batches, dataset: Some(dataset), optimizers: vec![draw.optimizer()], config, trained: None }
}

/// The error ratios (error divided by error bound) of all checks, by the name of their stage.
type ErrorRatios = BTreeMap<String, Vec<f64>>;

/// Checks the candidates on the cases that [`case`] draws with these seeds, and adds the error ratios to `ratios`.
/// Returns a description of each failed check.
fn run(seeds: impl Iterator<Item = u64>, candidates: &[Candidate], ratios: &mut ErrorRatios) -> Vec<String> {
    let mut failures = Vec::new();
    for seed in seeds {
        let case = case(seed);
        let suite = check::check(&case, candidates).unwrap();
        for check in suite.reports.iter().flat_map(|report| &report.checks) {
            ratios.entry(check.stage.to_string()).or_default().push(check.error_ratio);
            if !check.passed {
                failures.push(format!("seed {seed}: {}, {:?}: {check}", case.config, case.optimizers[0]));
            }
        }
    }
    failures
}

#[test]
fn correct_candidates_pass_random_configurations_within_tight_bounds() {
    let configurations =
        std::env::var("MLP_PARITY_CONFIGURATIONS").map_or(CONFIGURATIONS, |text| text.parse().unwrap());
    let mut ratios = ErrorRatios::new();
    let mut failures = run(0..configurations, &support::cpu_candidates(), &mut ratios);
    if let Some(wgpu) = support::framework::gpu_candidate() {
        failures.extend(run(0..WGPU_CONFIGURATIONS, &[wgpu], &mut ratios));
    }
    println!("error ratios in {configurations} configurations:");
    println!("stage                 checks     median    largest");
    for (stage, mut ratios) in ratios.clone() {
        ratios.sort_by(f64::total_cmp);
        println!("{stage:13} {:14} {:10.4} {:10.4}", ratios.len(), ratios[ratios.len() / 2], ratios[ratios.len() - 1]);
    }
    assert!(failures.is_empty(), "{} checks of correct candidates failed:\n{}", failures.len(), failures.join("\n"));
    // Error bounds that are far above all actual errors would prove nothing.
    for stage in ["logits", "loss", "gradients", "update", "trajectory"] {
        let largest = ratios[stage].iter().fold(0.0_f64, |largest, &ratio| largest.max(ratio));
        assert!(largest > 0.05, "{stage}: the bounds are not tight, the largest error ratio is {largest}");
    }
}

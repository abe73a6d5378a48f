//! Nobody who computes correctly is ever accused: random networks, data and rules, over many orders of magnitude.
//!
//! The full test: `MLP_PARITY_CONFIGURATIONS=1000 cargo test --release --workspace --test across -- random_configurations --nocapture`

use std::collections::BTreeMap;

use mlp_parity::{Activation, Batch, Dataset, MlpConfig, Optimizer, Parameters};
use mlp_parity_compare::Candidate;
use mlp_parity_compare::check::{self, Case, NamedOptimizer};
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How many configurations are drawn, where the environment does not say.
const CONFIGURATIONS: u64 = 150;

/// Kernels for a GPU are compiled for each new shape.
const ON_WGPU: u64 = 4;

struct Draw(ChaCha8Rng);

impl Draw {
    /// From `low` to `high`.
    fn number(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }

    /// From `low` to `high`, both included.
    fn count(&mut self, low: usize, high: usize) -> usize {
        self.number(low as f64, high as f64 + 0.999).floor() as usize
    }

    fn magnitude(&mut self, low: f64, high: f64) -> f64 {
        10.0_f64.powf(self.number(low, high))
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.count(0, values.len() - 1)]
    }

    fn config(&mut self) -> MlpConfig {
        let hidden: Vec<usize> = (0..self.count(0, 5)).map(|_| self.count(1, 40)).collect();
        let activation = self.one_of(&[Activation::Sigmoid, Activation::Relu, Activation::Tanh]);
        MlpConfig::new(self.count(1, 60), &hidden, self.count(2, 12), activation).unwrap()
    }

    /// Each layer has a magnitude of its own, up to 12 orders apart; together they stay where single precision can follow
    /// them and their squares.
    fn parameters(&mut self, config: &MlpConfig, mut reach: f64) -> Parameters<f32> {
        let mut parameters = Parameters::<f32>::glorot_uniform(config, self.0.next_u64());
        for layer in parameters.layers_mut() {
            let exponent = self.number(-6.0, 6.0).clamp(-8.0 - reach, 8.0 - reach);
            reach += exponent;
            let scale = 10.0_f64.powf(exponent) as f32;
            // Some layers have a sign that prevails.
            let shift = self.one_of(&[0.0, 0.0, 0.3]);
            layer.weight.mapv_inplace(|weight| (weight + shift) * scale);
            let of_bias = self.one_of(&[0.0, 1.0, 10.0]) as f32 * scale;
            layer.bias.mapv_inplace(|_| self.number(-1.0, 1.0) as f32 * of_bias);
        }
        parameters
    }

    fn batch(&mut self, config: &MlpConfig, images: usize, scale: f64, share_of_zeros: f64, lowest: f64) -> Batch<f32> {
        let images = Array2::from_shape_fn([images, config.inputs()], |_| {
            let value = self.number(lowest, 1.0) * scale;
            if self.number(0.0, 1.0) < share_of_zeros { 0.0 } else { value as f32 }
        });
        let labels = (0..images.nrows()).map(|_| self.count(0, config.classes() - 1)).collect();
        Batch::new(images, labels).unwrap()
    }

    fn training(&mut self) -> NamedOptimizer {
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

fn case(seed: u64) -> Case {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(seed));
    let config = draw.config();
    let exponent = draw.number(-6.0, 6.0);
    let parameters = draw.parameters(&config, exponent);
    let (size, share_of_zeros, lowest) = (draw.count(1, 70), draw.one_of(&[0.0, 0.5, 0.9]), draw.one_of(&[-1.0, 0.0]));
    let scale = 10.0_f64.powf(exponent);
    let batches = (0..4).map(|_| draw.batch(&config, size, scale, share_of_zeros, lowest)).collect();
    let dataset = Dataset::synthetic(size * 3 + 1, [1, config.inputs()], config.classes(), seed).unwrap();
    Case { parameters, batches, dataset: Some(dataset), optimizers: vec![draw.training()], config }
}

/// How much of what is bound was used, by stage.
type Shares = BTreeMap<String, Vec<f64>>;

fn run(seeds: impl Iterator<Item = u64>, candidates: &[Candidate], shares: &mut Shares) -> Vec<String> {
    let mut accusations = Vec::new();
    for seed in seeds {
        let case = case(seed);
        let suite = check::check(&case, candidates).unwrap();
        for check in suite.reports.iter().flat_map(|report| &report.checks) {
            shares.entry(check.stage.to_string()).or_default().push(check.error_ratio);
            if !check.passed {
                accusations.push(format!("{seed}: {}, {:?}: {check}", case.config, case.optimizers[0]));
            }
        }
    }
    accusations
}

#[test]
fn nobody_is_accused_and_what_is_allowed_is_not_far_from_what_is_seen() {
    let configurations =
        std::env::var("MLP_PARITY_CONFIGURATIONS").map_or(CONFIGURATIONS, |text| text.parse().unwrap());
    let mut shares = Shares::new();
    let mut accusations = run(0..configurations, &support::on_the_processor(), &mut shares);
    if let Some(wgpu) = support::framework::on_the_graphics_card() {
        accusations.extend(run(0..ON_WGPU, &[wgpu], &mut shares));
    }
    println!("{configurations} configurations; observed / bound:");
    println!("stage            comparisons     median    largest");
    for (stage, mut shares) in shares.clone() {
        shares.sort_by(f64::total_cmp);
        println!("{stage:12} {:14} {:10.4} {:10.4}", shares.len(), shares[shares.len() / 2], shares[shares.len() - 1]);
    }
    assert!(accusations.is_empty(), "{} false accusations:\n{}", accusations.len(), accusations.join("\n"));
    // A bound that nothing comes near would prove nothing.
    for stage in ["logits", "loss", "gradients", "update", "trajectory"] {
        let largest = shares[stage].iter().fold(0.0_f64, |largest, &share| largest.max(share));
        assert!(largest > 0.05, "{stage}: the largest share of what is bound is {largest}");
    }
}

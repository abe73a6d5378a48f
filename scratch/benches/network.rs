//! What the fast network takes for each of its kernels, a step, an epoch and inference, on MNIST and one thread. A kernel is
//! reached through a network that has little else.

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use mlp_parity::mnist::DataSource;
use mlp_parity::{Activation, Classifier, Dataset, Differentiable, MlpConfig, Optimizer, Parameters, TrainingConfig};
use mlp_parity_scratch::{Mlp, kernels};
use ndarray::Array2;

fn main() {
    divan::main();
}

fn network(inputs: usize, hidden: &[usize], activation: Activation) -> Mlp {
    let config = MlpConfig::new(inputs, hidden, 10, activation).unwrap();
    Mlp::new(config.clone(), &Parameters::glorot_uniform(&config, 0)).unwrap()
}

fn report(activation: Activation) -> Mlp {
    network(784, &MlpConfig::REPORT_HIDDEN, activation)
}

fn images(count: usize) -> Dataset {
    DataSource::Embedded.load().unwrap().train.take(count).unwrap()
}

/// Steps with a batch of this size, of numbers and not of bytes as in an epoch; what it counts is images.
fn steps(bencher: Bencher<'_, '_>, mut network: Mlp, images: &Dataset, optimizer: &Optimizer) {
    let batch = images.batch(&Vec::from_iter(0..images.len()));
    network.set_optimizer(optimizer).unwrap();
    bencher.counter(ItemsCount::new(images.len())).bench_local(|| network.step(black_box(&batch), 1e-4).unwrap());
}

const SGD: Optimizer = Optimizer::sgd();

mod kernel {
    use super::*;

    /// `[n, n]` by `[n, n]`, as the dense floor is measured.
    #[divan::bench(args = [64, 256, 512])]
    fn product(bencher: Bencher<'_, '_>, size: usize) {
        let factor = Array2::<f32>::from_elem([size, size], 0.5);
        let mut result = Array2::zeros([size, size]);
        bencher.bench_local(|| kernels::product(factor.view(), black_box(factor.view()), result.view_mut()));
    }

    /// Both products and the update of the first layer, by lists of pixels.
    #[divan::bench]
    fn first_layer(bencher: Bencher<'_, '_>) {
        steps(bencher, network(784, &[500], Activation::Relu), &images(64), &SGD);
    }

    /// The same without a zero: the dense kernels.
    #[divan::bench]
    fn first_layer_of_noise(bencher: Bencher<'_, '_>) {
        steps(bencher, network(784, &[500], Activation::Relu), &Dataset::noise(64, [28, 28], 10, 0).unwrap(), &SGD);
    }

    /// Batches of which so many percent of the pairs of pixels are something: where the dense kernels are faster, they are
    /// taken.
    #[divan::bench(args = [20, 40, 60, 80, 100])]
    fn first_layer_by_density(bencher: Bencher<'_, '_>, percent: u32) {
        // Multiplied by 2³² over the golden ratio, neighbouring numbers are spread evenly (Knuth, volume 3, section 6.4).
        let is_something = |pair: u32| pair.wrapping_mul(2_654_435_769) < (u32::MAX / 100) * percent;
        let pixels = (0..640 * 784 / 2).flat_map(|pair| [u8::from(is_something(pair)) * 200; 2]);
        let images = Dataset::new(pixels.collect(), vec![0; 640], [28, 28], 10).unwrap();
        let training = TrainingConfig::builder().optimizer(SGD).learning_rate(1e-4).epochs(1).build().unwrap();
        let mut network = network(784, &[500], Activation::Relu);
        bencher.counter(ItemsCount::new(images.len())).bench_local(|| network.fit(&images, &training, &mut ()));
    }

    /// The layers behind it.
    #[divan::bench(args = [Activation::Relu, Activation::Sigmoid, Activation::Tanh])]
    fn hidden_layers(bencher: Bencher<'_, '_>, activation: &Activation) {
        let images = Dataset::noise(64, [2, 2], 10, 0).unwrap();
        steps(bencher, network(4, &[500, 500, 500], *activation), &images, &SGD);
    }
}

#[divan::bench(args = [1, 16, 64, 256, 1024])]
fn step(bencher: Bencher<'_, '_>, batch_size: usize) {
    steps(bencher, report(Activation::Relu), &images(batch_size), &SGD);
}

#[divan::bench(args = [1, 16, 64, 256, 1024])]
fn step_with_adam(bencher: Bencher<'_, '_>, batch_size: usize) {
    steps(bencher, report(Activation::Relu), &images(batch_size), &Optimizer::adam());
}

/// A tenth of MNIST, in batches of 64.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn tenth_of_an_epoch(bencher: Bencher<'_, '_>) {
    let (mut network, images) = (report(Activation::Relu), images(6_000));
    let training = TrainingConfig::builder().optimizer(SGD).learning_rate(0.01).epochs(1).build().unwrap();
    bencher.counter(ItemsCount::new(images.len())).bench_local(|| network.fit(&images, &training, &mut ()));
}

#[divan::bench(args = [1, 64, 10_000])]
fn inference(bencher: Bencher<'_, '_>, count: usize) {
    let (network, images) = (report(Activation::Relu), images(count));
    let all = images.batch::<f32>(&Vec::from_iter(0..count));
    bencher.counter(ItemsCount::new(count)).bench_local(|| network.logits(black_box(all.images())));
}

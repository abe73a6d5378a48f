//! Benchmarks of the fast network on MNIST and one thread: kernels, training steps, an epoch, and inference.
//!
//! The kernels are private. Each is measured by training a network whose step consists of little else.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

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

fn report_network(activation: Activation) -> Mlp {
    network(784, &MlpConfig::REPORT_HIDDEN, activation)
}

fn images(count: usize) -> Dataset {
    DataSource::Embedded.load().unwrap().train.take(count).unwrap()
}

/// Measures training steps on one batch of all `images`, and reports images per second. The batch holds `f32` pixels,
/// whereas training an epoch reads the bytes of the data set.
fn bench_steps(bencher: Bencher<'_, '_>, mut network: Mlp, images: &Dataset, optimizer: &Optimizer) {
    let batch = images.batch(&Vec::from_iter(0..images.len()));
    network.set_optimizer(optimizer).unwrap();
    bencher.counter(ItemsCount::new(images.len())).bench_local(|| network.step(black_box(&batch), 1e-4).unwrap());
}

const SGD: Optimizer = Optimizer::sgd();

mod kernel {
    use super::*;

    /// The matrix product of two n × n matrices. `compare bench` derives the *dense floor* from its speed: the shortest
    /// training time of an implementation that skips no operation.
    #[divan::bench(args = [64, 256, 512])]
    fn product(bencher: Bencher<'_, '_>, size: usize) {
        let factor = Array2::<f32>::from_elem([size, size], 0.5);
        let mut result = Array2::zeros([size, size]);
        bencher.bench_local(|| kernels::product(factor.view(), black_box(factor.view()), result.view_mut()));
    }

    /// The first layer with sparse images: forward pass, gradient and update.
    #[divan::bench]
    fn first_layer(bencher: Bencher<'_, '_>) {
        bench_steps(bencher, network(784, &[500], Activation::Relu), &images(64), &SGD);
    }

    /// The first layer with images of noise, in which no pixel is zero: forward pass, gradient and update by the dense
    /// kernels.
    #[divan::bench]
    fn first_layer_with_noise(bencher: Bencher<'_, '_>) {
        bench_steps(
            bencher,
            network(784, &[500], Activation::Relu),
            &Dataset::noise(64, [28, 28], 10, 0).unwrap(),
            &SGD,
        );
    }

    /// The first layer with images in which `percent` % of the pairs of pixels are non-zero. The jump from sparse to
    /// dense kernels is at 65 %.
    #[divan::bench(args = [20, 40, 60, 80, 100])]
    fn first_layer_by_density(bencher: Bencher<'_, '_>, percent: u32) {
        // Multiplying by 2³² divided by the golden ratio spreads consecutive numbers evenly (Knuth, volume 3, section
        // 6.4).
        let is_non_zero = |pair: u32| pair.wrapping_mul(2_654_435_769) < (u32::MAX / 100) * percent;
        let pixels = (0..640 * 784 / 2).flat_map(|pair| [u8::from(is_non_zero(pair)) * 200; 2]);
        let images = Dataset::new(pixels.collect(), vec![0; 640], [28, 28], 10).unwrap();
        let training = TrainingConfig::builder().optimizer(SGD).learning_rate(1e-4).epochs(1).build().unwrap();
        let mut network = network(784, &[500], Activation::Relu);
        bencher.counter(ItemsCount::new(images.len())).bench_local(|| network.fit(&images, &training, &mut ()));
    }

    /// The layers after the first: forward and backward pass and update.
    #[divan::bench(args = [Activation::Relu, Activation::Sigmoid, Activation::Tanh])]
    fn hidden_layers(bencher: Bencher<'_, '_>, activation: &Activation) {
        let images = Dataset::noise(64, [2, 2], 10, 0).unwrap();
        bench_steps(bencher, network(4, &[500, 500, 500], *activation), &images, &SGD);
    }
}

#[divan::bench(args = [1, 16, 64, 256, 1024])]
fn step(bencher: Bencher<'_, '_>, batch_size: usize) {
    bench_steps(bencher, report_network(Activation::Relu), &images(batch_size), &SGD);
}

#[divan::bench(args = [1, 16, 64, 256, 1024])]
fn step_with_adam(bencher: Bencher<'_, '_>, batch_size: usize) {
    bench_steps(bencher, report_network(Activation::Relu), &images(batch_size), &Optimizer::adam());
}

/// An epoch on 6,000 images, a tenth of MNIST, in batches of 64.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn tenth_of_an_epoch(bencher: Bencher<'_, '_>) {
    let (mut network, images) = (report_network(Activation::Relu), images(6_000));
    let training = TrainingConfig::builder().optimizer(SGD).learning_rate(0.01).epochs(1).build().unwrap();
    bencher.counter(ItemsCount::new(images.len())).bench_local(|| network.fit(&images, &training, &mut ()));
}

#[divan::bench(args = [1, 64, 10_000])]
fn inference(bencher: Bencher<'_, '_>, count: usize) {
    let (network, images) = (report_network(Activation::Relu), images(count));
    let all = images.batch::<f32>(&Vec::from_iter(0..count));
    bencher.counter(ItemsCount::new(count)).bench_local(|| network.logits(black_box(all.images())));
}

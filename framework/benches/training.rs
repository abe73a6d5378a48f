//! Measures the overhead of the traits of `mlp-parity`: trains on a hundred batches through `Classifier::fit`, and in a
//! loop of plain Burn on the same images in the same order.
//!
//! The plain loop uses the fastest known approach on a CPU: losses stay on the device, and batches are gathered there.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use divan::{Bencher, black_box};
use mlp_parity::mnist::DataSource;
use mlp_parity::{Activation, Classifier, Dataset, MlpConfig, Optimizer, Parameters, TrainingConfig};
use mlp_parity_framework::{Backend, Mlp, burn};

/// The same allocator as in the program `compare`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH_SIZE: usize = 64;

fn main() {
    divan::main();
}

/// Returns the first 6,400 training images of MNIST, enough for a hundred batches.
fn images() -> Dataset {
    DataSource::Embedded.load().unwrap().train.take(100 * BATCH_SIZE).unwrap()
}

/// Trains one epoch through the trait `Classifier`.
#[divan::bench(args = ["sgd", "adam"], sample_count = 10, sample_size = 1)]
fn contract(bencher: Bencher<'_, '_>, optimizer: &str) {
    let images = images();
    let config =
        MlpConfig::new(images.inputs(), &MlpConfig::REPORT_HIDDEN, images.classes(), Activation::Relu).unwrap();
    let parameters = Parameters::glorot_uniform(&config, 0);
    let mut network = Mlp::new(config, &parameters, &Backend::Flex.open().unwrap()).unwrap();
    let optimizer: Optimizer = optimizer.parse().unwrap();
    let training = TrainingConfig::builder()
        .optimizer(optimizer)
        .learning_rate(0.01)
        .batch_size(BATCH_SIZE)
        .epochs(1)
        .build()
        .unwrap();
    bencher.bench_local(|| network.fit(&images, &training, &mut ()));
}

/// Trains one epoch in a loop of plain Burn, without the traits of `mlp-parity`.
#[divan::bench(args = ["sgd", "adam"], sample_count = 10, sample_size = 1)]
fn plain(bencher: Bencher<'_, '_>, optimizer: &str) {
    let device = Device::flex().autodiff();
    let dataset = images();
    let order = Dataset::epoch_order(0, 1, dataset.len());
    let all = dataset.batch::<f32>(&Vec::from_iter(0..dataset.len()));
    let labels = Tensor::<1, Int>::from_data(TensorData::from(all.labels()), &device);
    let shape = [dataset.len(), dataset.inputs()];
    let images = Tensor::<2>::from_data(TensorData::new(all.into_images().into_iter().collect(), shape), &device);
    let mut network = Plain::new(&device);
    let cross_entropy = CrossEntropyLossConfig::new().init(&device);
    let mut optimizer =
        if optimizer == "sgd" { SgdConfig::new().init() } else { AdamConfig::new().with_epsilon(1e-8).init() };
    bencher.bench_local(|| {
        let mut losses = Vec::new();
        for batch in order.chunks(BATCH_SIZE) {
            let indices = Tensor::<1, Int>::from_data(TensorData::from(batch), &device);
            let logits = network.forward(images.clone().select(0, indices.clone()));
            let loss = cross_entropy.forward(logits, labels.clone().select(0, indices));
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = optimizer.step(0.01, network.clone(), gradients);
            losses.push(loss.inner());
        }
        black_box(Tensor::cat(losses, 0).into_data())
    });
}

/// The network of the report, written directly with Burn's layers.
#[derive(Module, Debug)]
struct Plain {
    hidden: [Linear; 3],
    output: Linear,
}

impl Plain {
    fn new(device: &Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Self { hidden: [linear(784, 500), linear(500, 250), linear(250, 100)], output: linear(100, 10) }
    }

    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let hidden = |values, layer: &Linear| activation::relu(layer.forward(values));
        self.output.forward(self.hidden.iter().fold(images, hidden))
    }
}

//! Trains the Burn implementation with Burn's own `Learner` and data loaders instead of this repository's training
//! loop.
//!
//! `cargo run --release --manifest-path examples/learner/Cargo.toml`

use std::error::Error;

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::module::Module;
use burn::optim::SgdConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ClassificationOutput, InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep};
use mlp_parity::mnist::DataSource;
use mlp_parity::{Activation, MlpConfig, Parameters};
use mlp_parity_framework::{Backend, Item, Items, Model};

/// A batch of images and labels on the device.
#[derive(Clone, Debug)]
struct Digits {
    /// Pixels, `[batch, 784]`.
    images: Tensor<2>,
    /// Class indices, `[batch]`.
    labels: Tensor<1, Int>,
}

/// Batcher that collects labelled images into [`Digits`] for Burn's data loader.
#[derive(Clone)]
struct IntoDigits;

impl Batcher<Item, Digits> for IntoDigits {
    fn batch(&self, items: Vec<Item>, device: &Device) -> Digits {
        let count = items.len();
        let labels: Vec<i32> = items.iter().map(|item| item.label as i32).collect();
        let pixels: Vec<f32> = items.into_iter().flat_map(|item| item.image).collect();
        let inputs = pixels.len() / count.max(1);
        Digits {
            images: Tensor::from_data(TensorData::new(pixels, [count, inputs]), device),
            labels: Tensor::from_data(TensorData::new(labels, [count]), device),
        }
    }
}

/// Adapter that implements the traits of Burn's `Learner` for the network.
#[derive(Module, Debug)]
struct Network {
    model: Model,
}

impl Network {
    /// Computes logits and loss of a batch.
    fn classify(&self, Digits { images, labels }: Digits) -> ClassificationOutput {
        let output = self.model.forward(images.clone());
        let loss = self.model.loss(images, labels.clone());
        ClassificationOutput { loss, output, targets: labels }
    }
}

impl TrainStep for Network {
    type Input = Digits;
    type Output = ClassificationOutput;

    fn step(&self, digits: Digits) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(digits);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Network {
    type Input = Digits;
    type Output = ClassificationOutput;

    fn step(&self, digits: Digits) -> ClassificationOutput {
        self.classify(digits)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mnist = DataSource::Embedded.load()?;
    let train = mnist.train.take(12_000)?;
    let config = MlpConfig::new(train.inputs(), &[100], train.classes(), Activation::Relu)?;
    let device = Backend::Flex.open()?.device;
    // Training needs a device that records operations for backpropagation; inference does not.
    let with_gradients = device.clone().autodiff();
    let network =
        Network { model: Model::new(&Parameters::glorot_uniform(&config, 0), Activation::Relu, &with_gradients) };

    let loader = |device| DataLoaderBuilder::new(IntoDigits).batch_size(64).set_device(device);
    let train = loader(with_gradients).shuffle(0).build(Items(train));
    let test = loader(device).build(Items(mnist.test));

    // `SupervisedTraining` writes logs and checkpoints, which this example discards.
    let folder = tempfile::tempdir()?;
    let training = SupervisedTraining::new(folder.path(), train, test)
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .num_epochs(3)
        .summary();
    let result = training.launch(Learner::new(network, SgdConfig::new().build().into(), 0.1));
    match result.error {
        Some(error) => Err(error.to_string().into()),
        None => Ok(()),
    }
}

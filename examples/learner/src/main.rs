//! Burn's own `Learner` on the data set of this repository: its images as Burn's `Dataset`, through Burn's loaders.
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

/// Images `[batch, 784]`, classes `[batch]`.
#[derive(Clone, Debug)]
struct Digits {
    images: Tensor<2>,
    labels: Tensor<1, Int>,
}

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

/// The network, as the `Learner` wants it.
#[derive(Module, Debug)]
struct Network {
    model: Model,
}

impl Network {
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
    let with_gradients = device.clone().autodiff();
    let network =
        Network { model: Model::new(&Parameters::glorot_uniform(&config, 0), Activation::Relu, &with_gradients)? };

    let loader = |device| DataLoaderBuilder::new(IntoDigits).batch_size(64).set_device(device);
    let train = loader(with_gradients).shuffle(0).build(Items(train));
    let test = loader(device).build(Items(mnist.test));

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

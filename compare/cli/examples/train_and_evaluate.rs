//! Trains the hand-written network and the Burn network from the same initial parameters, saves Burn's parameters, and
//! evaluates them with the hand-written network.
//!
//! `cargo run --release --example train_and_evaluate`

use mlp_parity::mnist::DataSource;
use mlp_parity::{
    Activation, Classifier, Differentiable, MlpConfig, Optimizer, ParameterFile, Parameters, Result, SafetensorsFile,
    TrainingConfig,
};
use mlp_parity_framework::Backend;

fn main() -> Result<()> {
    let mnist = DataSource::Embedded.load()?;
    let train = mnist.train.take(12_000)?;
    let config = MlpConfig::new(train.inputs(), &[100], train.classes(), Activation::Relu)?;
    let parameters = Parameters::glorot_uniform(&config, 0);
    let momentum = Optimizer::momentum(0.9).with_nesterov()?;
    let training = TrainingConfig::builder().optimizer(momentum).learning_rate(0.02).epochs(3).build()?;

    let device = Backend::Flex.open()?;
    let mut scratch = mlp_parity_scratch::Mlp::new(config.clone(), &parameters)?.with_threads(2);
    let mut burn = mlp_parity_framework::Mlp::new(config.clone(), &parameters, &device)?;
    let networks: [(&str, &mut dyn Differentiable); 2] = [("scratch", &mut scratch), ("Burn", &mut burn)];
    for (name, network) in networks {
        let history = network.fit(&train, &training, &mut ())?;
        let losses: Vec<String> = history.epochs.iter().map(|epoch| format!("{:.4}", epoch.train_loss)).collect();
        let accuracy = network.evaluate(&mnist.test)?.accuracy;
        println!("{name}: losses {}, test accuracy {:.2} %", losses.join(", "), 100.0 * accuracy);
    }

    let path = std::env::temp_dir().join("mlp-parity-example.safetensors");
    ParameterFile { parameters: burn.parameters()?, activation: Some(config.activation()) }.save(&path)?;
    let file = ParameterFile::<f32>::load(&path)?;
    let loaded = mlp_parity_scratch::Mlp::new(file.config(None)?, &file.parameters)?;
    println!("Burn's parameters in scratch: test accuracy {:.2} %", 100.0 * loaded.evaluate(&mnist.test)?.accuracy);
    Ok(())
}

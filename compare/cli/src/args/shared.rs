//! Options that several commands have.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use mlp_parity::{Activation, MlpConfig, Schedule};
use mlp_parity_framework::Backend;

use crate::input::source::Source;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImplementationName {
    /// By hand
    Scratch,
    /// By Burn
    Framework,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Framework")]
pub(crate) struct FrameworkOptions {
    /// A backend of the framework; may be repeated
    #[arg(long = "backend", value_name = "BACKEND", default_value = "flex", value_parser = Backend::from_str)]
    pub(crate) backends: Vec<Backend>,
    #[command(flatten)]
    pub(crate) remote: RemoteOptions,
}

/// The device of `--backend remote`.
#[derive(Args, Debug)]
pub(crate) struct RemoteOptions {
    /// Where the server of --backend remote is, as in ws://127.0.0.1:3737
    #[cfg(feature = "remote")]
    #[arg(long, value_name = "URL")]
    pub(crate) remote_url: Option<String>,
    /// The file with the token of --backend remote
    #[cfg(feature = "remote")]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// For commands on which the framework has one backend, if it takes part.
#[derive(Args, Debug)]
#[command(next_help_heading = "Framework")]
pub(crate) struct BackendOptions {
    /// The framework's backend [default: flex]
    #[arg(long, value_parser = Backend::from_str)]
    pub(crate) backend: Option<Backend>,
    #[command(flatten)]
    pub(crate) remote: RemoteOptions,
}

/// A network that was trained.
#[derive(Args, Debug)]
pub(crate) struct SavedOptions {
    /// Parameters saved by this program, a checkpoint of it, or a PyTorch state_dict saved with safetensors
    pub(crate) file: PathBuf,
    /// The hidden layers' activation, where the file does not tell it
    #[arg(long, value_parser = activation())]
    pub(crate) activation: Option<Activation>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkOptions {
    /// Of the hidden layers; tanh-as-printed is by hand only, with the report's wrong derivative
    #[arg(long, default_value = "relu", value_parser = activation())]
    pub(crate) activation: Activation,
    /// Widths of the hidden layers; 'none' for a linear classifier
    #[arg(long, value_name = "WIDTHS", default_value_t = Hidden(MlpConfig::REPORT_HIDDEN.to_vec()))]
    pub(crate) hidden: Hidden,
}

/// The names of activations, which shells complete.
fn activation() -> impl TypedValueParser<Value = Activation> {
    PossibleValuesParser::new(Activation::ALL.map(Activation::name)).try_map(|name| name.parse::<Activation>())
}

/// The names of schedules, which shells complete.
fn schedule() -> impl TypedValueParser<Value = Schedule> {
    PossibleValuesParser::new(Schedule::ALL.map(Schedule::name)).try_map(|name| name.parse::<Schedule>())
}

/// Widths as `500,250,100`, or `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hidden(pub(crate) Vec<usize>);

impl std::fmt::Display for Hidden {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let widths: Vec<String> = self.0.iter().map(usize::to_string).collect();
        formatter.write_str(if widths.is_empty() { "none".into() } else { widths.join(",") }.as_str())
    }
}

impl FromStr for Hidden {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let width = |width: &str| {
            width.trim().parse().map_err(|_| format!("'{width}' is no width; write '500,250,100', or 'none'"))
        };
        Ok(Self(text.split(',').map(width).collect::<Result<_, _>>()?))
    }
}

#[derive(Args, Debug)]
#[command(next_help_heading = "NamedOptimizer (the first five replace the report's trainings by one of your own)")]
pub(crate) struct TrainingOptions {
    /// sgd, momentum, adam (decay in the gradient), adamw (decay beside it) [default: sgd, or momentum with an option of it]
    #[arg(long, value_parser = mlp_parity::Optimizer::NAMES)]
    pub(crate) optimizer: Option<String>,
    /// Step size [default: 0.01]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub(crate) learning_rate: Option<f64>,
    /// Of the optimizer 'momentum' [default: 0.9]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    pub(crate) momentum: Option<f64>,
    /// Nesterov's momentum
    #[arg(long)]
    pub(crate) nesterov: bool,
    /// On weights and biases [default: 0]
    #[arg(long, value_name = "DECAY", allow_negative_numbers = true)]
    pub(crate) weight_decay: Option<f64>,
    /// How the learning rate changes from step to step of training; single steps of checks and traces have it constant
    #[arg(long, default_value = "constant", value_parser = schedule())]
    pub(crate) schedule: Schedule,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value_t = 64, allow_negative_numbers = true)]
    pub(crate) batch_size: usize,
    /// Passes over the training images
    #[arg(long, value_name = "N", default_value_t = 15, allow_negative_numbers = true)]
    pub(crate) epochs: usize,
    /// Decides the initial parameters and the order of the images
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: u64,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataOptions {
    #[command(flatten)]
    pub(crate) source: SourceOptions,
    /// Use only the first N training images
    #[arg(long, value_name = "N")]
    pub(crate) train_size: Option<usize>,
    /// Use only the first N test images
    #[arg(long, value_name = "N")]
    pub(crate) test_size: Option<usize>,
}

#[derive(Args, Debug)]
pub(crate) struct SourceOptions {
    /// Where the images come from: 'embedded', one that was downloaded ('fashion-mnist'), 'burn-cache', or a folder with the four
    /// IDX files
    #[arg(long, value_name = "SOURCE", env = "MLP_PARITY_DATA", default_value = "embedded", value_parser = Source::from_str)]
    pub(crate) data: Source,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Program")]
pub(crate) struct CommonOptions {
    /// Threads to use [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Options from this file (TOML), a key for each; the command line counts more
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_read_back() {
        for text in ["500,250,100", "7", "none"] {
            assert_eq!(text.parse::<Hidden>().unwrap().to_string(), text);
        }
        assert!("500,,100".parse::<Hidden>().is_err() && "wide".parse::<Hidden>().is_err());
    }
}

//! Options that several commands share. The doc comments of fields are the help texts.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use mlp_parity::{Activation, MlpConfig, Schedule};
use mlp_parity_framework::Backend;

use crate::input::source::Source;

/// Values of `--implementation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImplementationName {
    /// Written by hand on ndarray
    Scratch,
    /// Built on the framework Burn
    Framework,
}

/// Options of commands that compare the framework on one or more backends.
#[derive(Args, Debug)]
#[command(next_help_heading = "Framework")]
pub(crate) struct FrameworkOptions {
    /// Backend of the framework; may be repeated
    #[arg(long = "backend", value_name = "BACKEND", default_value = "flex", value_parser = Backend::from_str)]
    pub(crate) backends: Vec<Backend>,
    #[command(flatten)]
    pub(crate) remote: RemoteOptions,
}

/// Options of `--backend remote`.
#[derive(Args, Debug)]
pub(crate) struct RemoteOptions {
    /// URL of the server for --backend remote, as in 'ws://127.0.0.1:3737'
    #[cfg(feature = "remote")]
    #[arg(long, value_name = "URL")]
    pub(crate) remote_url: Option<String>,
    /// File with the token for --backend remote
    #[cfg(feature = "remote")]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// Options of commands that run the framework, if at all, on one backend.
#[derive(Args, Debug)]
#[command(next_help_heading = "Framework")]
pub(crate) struct BackendOptions {
    /// Backend of the framework [default: flex]
    #[arg(long, value_parser = Backend::from_str)]
    pub(crate) backend: Option<Backend>,
    #[command(flatten)]
    pub(crate) remote: RemoteOptions,
}

/// The file of a trained network.
#[derive(Args, Debug)]
pub(crate) struct SavedOptions {
    /// Parameters or checkpoint saved by this program, or a PyTorch state_dict saved as safetensors
    pub(crate) file: PathBuf,
    /// Activation of the hidden layers, if the file does not name it
    #[arg(long, ignore_case = true, value_parser = activation())]
    pub(crate) activation: Option<Activation>,
}

/// Shape and activation of the network.
#[derive(Args, Debug)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkOptions {
    /// Activation of the hidden layers; 'tanh-as-printed' (scratch only) has the report's wrong derivative
    #[arg(long, ignore_case = true, default_value = "relu", value_parser = activation())]
    pub(crate) activation: Activation,
    /// Widths of the hidden layers, or 'none' for a linear classifier
    #[arg(long, value_name = "WIDTHS", default_value_t = Hidden(MlpConfig::REPORT_HIDDEN.to_vec()))]
    pub(crate) hidden: Hidden,
}

/// Creates the parser of activation names. The fixed set of values lets shells complete them.
fn activation() -> impl TypedValueParser<Value = Activation> {
    PossibleValuesParser::new(Activation::ALL.map(Activation::name)).try_map(|name| name.parse::<Activation>())
}

/// Creates the parser of learning-rate schedule names. The fixed set of values lets shells complete them.
fn schedule() -> impl TypedValueParser<Value = Schedule> {
    PossibleValuesParser::new(Schedule::ALL.map(Schedule::name)).try_map(|name| name.parse::<Schedule>())
}

/// Widths of the hidden layers, written `500,250,100`, or `none` if there is no hidden layer.
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
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self(Vec::new()));
        }
        let width = |width: &str| {
            width.trim().parse().map_err(|_| {
                format!("'{width}' is not a layer width; expected widths such as '500,250,100', or 'none'")
            })
        };
        Ok(Self(text.split(',').map(width).collect::<Result<_, _>>()?))
    }
}

/// Options of the training configuration. The first five select one configuration, named `custom`, instead of the
/// report's two; the others apply to whichever configurations are used.
#[derive(Args, Debug)]
#[command(
    next_help_heading = "Training configuration (the first five options replace the report's two configurations)"
)]
pub(crate) struct TrainingOptions {
    /// Optimizer; adamw decouples weight decay from the gradient [default: sgd; momentum with --momentum or --nesterov]
    #[arg(long, ignore_case = true, value_parser = mlp_parity::Optimizer::NAMES)]
    pub(crate) optimizer: Option<String>,
    /// Learning rate [default: 0.01]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub(crate) learning_rate: Option<f64>,
    /// Momentum of the optimizer 'momentum' [default: 0.9]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    pub(crate) momentum: Option<f64>,
    /// Use Nesterov momentum
    #[arg(long)]
    pub(crate) nesterov: bool,
    /// Weight decay, applied to weights and biases [default: 0]
    #[arg(long, value_name = "DECAY", allow_negative_numbers = true)]
    pub(crate) weight_decay: Option<f64>,
    /// Learning-rate schedule of whole training runs; the single steps of checks and traces use a constant rate
    #[arg(long, ignore_case = true, default_value = "constant", value_parser = schedule())]
    pub(crate) schedule: Schedule,
    /// Batch size
    #[arg(long, value_name = "N", default_value_t = 64, allow_negative_numbers = true)]
    pub(crate) batch_size: usize,
    /// Number of epochs
    #[arg(long, value_name = "N", default_value_t = 15, allow_negative_numbers = true)]
    pub(crate) epochs: usize,
    /// Seed of the initial parameters and of the order of the images
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: u64,
}

/// The data set, and how much of it is used.
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

/// The source of the images.
#[derive(Args, Debug)]
pub(crate) struct SourceOptions {
    /// Source of the images: 'embedded', a downloaded data set ('fashion-mnist'), 'burn-cache', or a folder with four
    /// IDX files
    #[arg(long, value_name = "SOURCE", env = "MLP_PARITY_DATA", default_value = "embedded", value_parser = Source::from_str)]
    pub(crate) data: Source,
}

/// Options of every command that computes.
#[derive(Args, Debug)]
#[command(next_help_heading = "General")]
pub(crate) struct CommonOptions {
    /// Number of threads [default: number of cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Print the result as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not print progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Read options from a TOML file; command-line options take precedence
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_widths_display_is_parsed_back() {
        for text in ["500,250,100", "7", "none"] {
            assert_eq!(text.parse::<Hidden>().unwrap().to_string(), text);
        }
        assert!("500,,100".parse::<Hidden>().is_err() && "wide".parse::<Hidden>().is_err());
        assert_eq!("None".parse(), Ok(Hidden(Vec::new())));
    }
}

//! Options that several commands share. The doc comments of fields are the help texts.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use mlp_parity::{Activation, MlpConfig, Schedule};
use mlp_parity_compare::PixelScaling;
#[cfg(feature = "full")]
use mlp_parity_framework::Backend;

use super::parsers::{number, whole};
use crate::input::source::Source;

/// Values of `--implementation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImplementationName {
    /// Written by hand, based on ndarray
    Scratch,
    /// Built with the Burn framework
    Framework,
}

/// Values of `--require`: kinds of results in a trace. They have no help texts, which would spread the help of the command over
/// several screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RequiredResults {
    // The logits, or the outputs
    Logits,
    // The losses of all batches
    Loss,
    // The gradients of all parameters
    Gradients,
    // The parameters after every step
    Steps,
}

impl RequiredResults {
    /// Returns true if a tensor of a trace, such as `gradient.layer1.weight`, is one of these results.
    pub(crate) fn contain(self, tensor: &str) -> bool {
        let is_loss = tensor == "loss" || tensor.ends_with(".loss");
        match self {
            Self::Logits => tensor == "logits",
            Self::Loss => is_loss,
            Self::Gradients => tensor.starts_with("gradient."),
            Self::Steps => tensor.starts_with("step.") && !is_loss,
        }
    }
}

/// Options of the commands that can run the framework on several backends at once, such as the full comparison.
#[derive(Args, Debug)]
#[command(next_help_heading = "Framework")]
pub(crate) struct FrameworkOptions {
    /// Burn backend for 'framework'; may be repeated ('compare doctor' lists the backends)
    #[cfg(feature = "full")]
    #[arg(long = "backend", value_name = "BACKEND", default_value = "flex", value_parser = Backend::from_str)]
    pub(crate) backends: Vec<Backend>,
    #[command(flatten)]
    pub(crate) remote: RemoteOptions,
}

/// Options that say where the device for `--backend remote` is served.
#[derive(Args, Debug)]
pub(crate) struct RemoteOptions {
    /// URL of the server for --backend remote, such as 'ws://127.0.0.1:3737'
    #[cfg(feature = "remote")]
    #[arg(long, value_name = "URL")]
    pub(crate) remote_url: Option<String>,
    /// File with the access token of the server for --backend remote
    #[cfg(feature = "remote")]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// Options of the commands that run the framework on at most one backend, such as `train` and `predict`.
#[derive(Args, Debug)]
#[command(next_help_heading = "Framework")]
pub(crate) struct BackendOptions {
    /// Burn backend for 'framework' ('compare doctor' lists the backends) [default: flex]
    #[cfg(feature = "full")]
    #[arg(long, value_parser = Backend::from_str)]
    pub(crate) backend: Option<Backend>,
    #[command(flatten)]
    pub(crate) remote: RemoteOptions,
}

/// The file of a trained network, and what the file does not contain.
#[derive(Args, Debug)]
pub(crate) struct SavedOptions {
    /// Trained network: a parameter file or checkpoint of this program, or the layers of another one in a safetensors, npz,
    /// JSON, .pt or .pth file
    pub(crate) file: PathBuf,
    /// Activation of the hidden layers, if the file does not name it; 'auto' tries each on the test images
    #[arg(long, ignore_case = true, value_parser = activation_or_auto())]
    pub(crate) activation: Option<ActivationChoice>,
    #[command(flatten)]
    pub(crate) scaling: ScalingOptions,
}

/// Values of `--activation` for a saved network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActivationChoice {
    /// The activation with the highest test accuracy.
    Auto,
    Given(Activation),
}

/// The scaling of pixels that a saved network was trained with.
#[derive(Args, Debug)]
pub(crate) struct ScalingOptions {
    /// Inputs that the network was trained with: pixels scaled to '0-1', '0-255', '-1-1', or by 'mnist', the mean 0.1307 and
    /// deviation 0.3081 of its training images [default: 0-1]
    #[arg(long, allow_hyphen_values = true, value_parser = PixelScaling::NAMED.map(|(name, _)| name))]
    pub(crate) pixels: Option<String>,
    /// Mean that was subtracted from pixels scaled to 0-1, as in torchvision's Normalize [default: 0]
    #[arg(long, value_name = "MEAN", conflicts_with = "pixels", allow_negative_numbers = true, value_parser = number)]
    pub(crate) mean: Option<f64>,
    /// Deviation that the result was divided by [default: 1]
    #[arg(long, value_name = "DEVIATION", conflicts_with = "pixels", allow_negative_numbers = true, value_parser = number)]
    pub(crate) std: Option<f64>,
}

/// The file with the initial parameters of a network.
#[derive(Args, Debug)]
pub(crate) struct InitialOptions {
    /// Start from the network in FILE instead of random parameters; reads the files that 'compare evaluate' reads
    #[arg(long, value_name = "FILE", conflicts_with = "hidden")]
    pub(crate) initial: Option<PathBuf>,
}

/// Shape and activation of the network.
#[derive(Args, Debug)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkOptions {
    /// Activation of the hidden layers [default: relu]
    #[arg(long, ignore_case = true, value_parser = activation())]
    pub(crate) activation: Option<Activation>,
    /// Widths of the hidden layers, or 'none' for a linear classifier
    #[arg(long, value_name = "WIDTHS", default_value_t = Hidden(MlpConfig::REPORT_HIDDEN.to_vec()))]
    pub(crate) hidden: Hidden,
}

/// Creates the parser of activation names. The fixed set of values lets shells complete them.
fn activation() -> impl TypedValueParser<Value = Activation> {
    PossibleValuesParser::new(Activation::ALL.map(Activation::name)).try_map(|name| name.parse::<Activation>())
}

/// Creates the parser of activation names and `auto`.
fn activation_or_auto() -> impl TypedValueParser<Value = ActivationChoice> {
    const AUTO: &str = "auto";
    let names = Activation::ALL.map(Activation::name).into_iter().chain([AUTO]);
    PossibleValuesParser::new(names).try_map(|name| match name.as_str() {
        AUTO => Ok(ActivationChoice::Auto),
        name => name.parse().map(ActivationChoice::Given),
    })
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
    next_help_heading = "Training configuration (default: that of the report; any of the first five options selects \
                         a custom one)"
)]
pub(crate) struct TrainingOptions {
    /// Optimizer; adamw decouples weight decay from the gradient [default: sgd, or momentum if --momentum or --nesterov
    /// is given]
    #[arg(long, ignore_case = true, value_parser = mlp_parity::Optimizer::NAMES)]
    pub(crate) optimizer: Option<String>,
    /// Learning rate [default: 0.01]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = number)]
    pub(crate) learning_rate: Option<f64>,
    /// Momentum coefficient for the 'momentum' optimizer [default: 0.9]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, value_parser = number)]
    pub(crate) momentum: Option<f64>,
    /// Use Nesterov momentum
    #[arg(long)]
    pub(crate) nesterov: bool,
    /// Weight-decay coefficient, applied to weights and biases [default: 0]
    #[arg(long, value_name = "DECAY", allow_negative_numbers = true, value_parser = number)]
    pub(crate) weight_decay: Option<f64>,
    /// Learning-rate schedule for training runs; the individual steps in checks and traces use a constant rate
    #[arg(long, ignore_case = true, default_value = "constant", value_parser = schedule())]
    pub(crate) schedule: Schedule,
    /// Number of images per batch
    #[arg(long, value_name = "N", default_value_t = 64, allow_negative_numbers = true, value_parser = whole::<usize>)]
    pub(crate) batch_size: usize,
    /// Number of epochs
    #[arg(long, value_name = "N", default_value_t = 15, allow_negative_numbers = true, value_parser = whole::<usize>)]
    pub(crate) epochs: usize,
    /// Seed for the initial parameters and the order of the images
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true, value_parser = whole::<u64>)]
    pub(crate) seed: u64,
}

/// The data set, and how much of it is used.
#[derive(Args, Debug)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataOptions {
    #[command(flatten)]
    pub(crate) source: SourceOptions,
    /// Use only the first N training images
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<usize>)]
    pub(crate) train_size: Option<usize>,
    /// Use only the first N test images
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<usize>)]
    pub(crate) test_size: Option<usize>,
}

/// The environment variable that sets the default of `--data`.
pub(super) const DATA_VARIABLE: &str = "MLP_PARITY_DATA";

/// The option `--data`, which selects the data set.
#[derive(Args, Debug)]
pub(crate) struct SourceOptions {
    /// Source of the images: 'embedded' (MNIST), a downloaded data set such as 'fashion-mnist', 'burn-cache' (MNIST as
    /// downloaded by Burn), a folder with four IDX files or with CSV files, an .npz file, or a CSV file
    #[arg(long, value_name = "SOURCE", env = DATA_VARIABLE, default_value = "embedded", value_parser = Source::from_str)]
    pub(crate) data: Source,
}

/// Options of the full comparison and of the commands `check`, `reproduce`, `train`, `evaluate`, `predict` and `bench`.
#[derive(Args, Debug)]
#[command(next_help_heading = "General")]
pub(crate) struct CommonOptions {
    /// Number of threads [default: number of CPU cores]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<usize>)]
    pub(crate) threads: Option<usize>,
    /// Print the result as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Print no progress and, where there is a verdict, only the verdict and its reason
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
    fn hidden_widths_parse_back_from_display() {
        for text in ["500,250,100", "7", "none"] {
            assert_eq!(text.parse::<Hidden>().unwrap().to_string(), text);
        }
        assert!("500,,100".parse::<Hidden>().is_err() && "wide".parse::<Hidden>().is_err());
        assert_eq!("None".parse(), Ok(Hidden(Vec::new())));
    }
}

//! The options of each command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use mlp_parity_compare::record::Shard;
use mlp_parity_compare::statistics::MARGIN;

use super::examples;
use super::shared::{
    BackendOptions, CommonOptions, DataOptions, FrameworkOptions, ImplementationName, NetworkOptions, SavedOptions,
    SourceOptions, TrainingOptions,
};
use crate::input::source::Source;

#[derive(Args, Debug)]
pub(crate) struct AgreeOptions {
    #[command(flatten)]
    pub(crate) framework: FrameworkOptions,
    /// Train everyone with N seeds, from --seed on, and judge by the differences of the pairs; with one, by replicas
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) seeds: u16,
    /// By how many points of accuracy equivalent implementations may differ, over several seeds
    #[arg(long, value_name = "POINTS", default_value_t = 100.0 * MARGIN, allow_negative_numbers = true)]
    pub(crate) margin: f64,
    /// Write records (JSON lines), a checkpoint of each run after each epoch, trained parameters (safetensors), and how the
    /// differences grow (CSV, SVG, PNG) into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Go on with the runs that were begun there, under the same options, to the same parameters
    #[arg(long, requires = "output")]
    pub(crate) resume: bool,
    /// Write the checks and judgements to this file, for a CI server (JUnit XML)
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Every comparison of the checks, and the confusion matrices
    #[arg(long, short)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    pub(crate) network: NetworkOptions,
    #[command(flatten)]
    pub(crate) training: TrainingOptions,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Args, Debug)]
#[command(after_help = examples::CHECK)]
pub(crate) struct CheckOptions {
    #[command(flatten)]
    pub(crate) framework: FrameworkOptions,
    /// Where the images come from: 'embedded', or a folder with the four IDX files [default: made up]
    #[arg(long, value_name = "SOURCE", value_parser = Source::from_str)]
    pub(crate) data: Option<Source>,
    /// Check this trace too, and everyone from its parameters on its batches; the options of network, training and data are not
    /// looked at
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Write the checks to this file, for a CI server (JUnit XML)
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Every comparison with every candidate, not just the one closest to what is bound
    #[arg(long, short)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    pub(crate) network: NetworkOptions,
    #[command(flatten)]
    pub(crate) training: TrainingOptions,
}

#[derive(Args, Debug)]
#[command(after_help = examples::TRACE)]
pub(crate) struct TraceOptions {
    /// Where to write it (safetensors)
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Which implementation
    #[arg(long, value_enum, default_value = "scratch")]
    pub(crate) implementation: ImplementationName,
    #[command(flatten)]
    pub(crate) framework: BackendOptions,
    /// Steps of training
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=10))]
    pub(crate) steps: u8,
    /// Where the images come from: 'embedded', or a folder with the four IDX files [default: made up]
    #[arg(long, value_name = "SOURCE", value_parser = Source::from_str)]
    pub(crate) data: Option<Source>,
    #[command(flatten)]
    pub(crate) network: NetworkOptions,
    #[command(flatten)]
    pub(crate) training: TrainingOptions,
}

#[derive(Args, Debug)]
#[command(after_help = examples::REPRODUCE)]
pub(crate) struct ReproduceOptions {
    /// Train with N seeds, from 0 on
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) seeds: u16,
    #[command(flatten)]
    pub(crate) framework: FrameworkOptions,
    /// Only these tables and figures, as in 'table-1,figure-3'
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Where everything is written
    #[arg(long, value_name = "DIR", default_value = "reproduction")]
    pub(crate) output: PathBuf,
    /// Go on with what was begun there
    #[arg(long)]
    pub(crate) resume: bool,
    /// Reproduce what this file states (TOML), instead of the report
    #[arg(long, value_name = "FILE")]
    pub(crate) grid: Option<PathBuf>,
    /// Do the I-th of N shares alone; 'compare report' puts them together
    #[arg(long, value_name = "I/N", conflicts_with = "json", value_parser = Shard::from_str)]
    pub(crate) shard: Option<Shard>,
    /// Take records of other data or another revision of the program too
    #[arg(long)]
    pub(crate) allow_mixed: bool,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Args, Debug)]
pub(crate) struct ReportOptions {
    /// Where records are; several are put together
    #[arg(value_name = "DIR", required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// Where everything is written [default: the one folder with records]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Write the result between the two marks in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) readme: Option<PathBuf>,
    /// Take records of different data or revisions of the program together
    #[arg(long)]
    pub(crate) allow_mixed: bool,
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = examples::TRAIN)]
pub(crate) struct TrainOptions {
    /// Which implementation; without a training of your own it gets the report's for it: scratch SGD, framework Adam
    #[arg(long, value_enum)]
    pub(crate) implementation: ImplementationName,
    #[command(flatten)]
    pub(crate) framework: BackendOptions,
    /// Test after the last epoch alone, not after each
    #[arg(long)]
    pub(crate) test_last: bool,
    /// Write the trained parameters to this file (safetensors)
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// Write a checkpoint after each epoch into this folder (safetensors)
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Go on with what was begun there, under the same options, to the same parameters
    #[arg(long, requires = "output")]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    pub(crate) network: NetworkOptions,
    #[command(flatten)]
    pub(crate) training: TrainingOptions,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Args, Debug)]
pub(crate) struct EvaluateOptions {
    #[command(flatten)]
    pub(crate) saved: SavedOptions,
    /// Which implementation
    #[arg(long, value_enum, default_value = "scratch")]
    pub(crate) implementation: ImplementationName,
    #[command(flatten)]
    pub(crate) framework: BackendOptions,
    #[command(flatten)]
    pub(crate) source: SourceOptions,
    /// Use only the first N test images
    #[arg(long, value_name = "N")]
    pub(crate) test_size: Option<usize>,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

#[derive(Args, Debug)]
#[command(after_help = examples::PREDICT)]
pub(crate) struct PredictOptions {
    #[command(flatten)]
    pub(crate) saved: SavedOptions,
    /// Pictures of one digit each (PNG or JPEG of any size, dark on light or light on dark), or IDX files of images
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<PathBuf>,
    /// Which implementation; both side by side with 'scratch,framework'
    #[arg(long = "implementation", value_enum, value_delimiter = ',', default_value = "scratch")]
    pub(crate) implementations: Vec<ImplementationName>,
    #[command(flatten)]
    pub(crate) framework: BackendOptions,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

#[derive(Args, Debug)]
#[command(after_help = examples::EXPORT)]
pub(crate) struct ExportOptions {
    #[command(flatten)]
    pub(crate) saved: SavedOptions,
    /// Where to write it: as ONNX where it ends in .onnx, its parameters alone where it ends in .safetensors
    pub(crate) output: PathBuf,
}

#[derive(Args, Debug)]
#[command(after_help = examples::BENCH)]
pub(crate) struct BenchOptions {
    /// Measure this one alone [default: all, the one by hand first]
    #[arg(long, value_enum)]
    pub(crate) implementation: Option<ImplementationName>,
    #[command(flatten)]
    pub(crate) framework: FrameworkOptions,
    /// Images in a batch; several sizes as in '16,64,256'
    #[arg(long = "batch-size", value_name = "N", value_delimiter = ',', default_value = "64")]
    pub(crate) batch_sizes: Vec<usize>,
    /// sgd, momentum (0.9), adam (weight decay 1e-4), adamw (likewise)
    #[arg(long, value_parser = mlp_parity::Optimizer::NAMES, default_value = "sgd")]
    pub(crate) optimizer: String,
    /// Rounds that count, at least 3: each trains one epoch and classifies the test images; with --time-to, seeds
    /// [default: 5, with --time-to 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(3..))]
    pub(crate) rounds: Option<u16>,
    /// Write how the cost of training grows with the batch size, the width of the layers and threads into this folder, instead
    /// (CSV, SVG, PNG)
    #[arg(long, value_name = "DIR",
        conflicts_with_all = ["time_to", "batch_sizes", "hidden", "train_size", "test_size", "json"])]
    pub(crate) output: Option<PathBuf>,
    /// How long the one by hand takes to classify 0.97 or 0.98 of the test images right: from the start of a process that
    /// trains by a recipe for it to the end of that process
    #[arg(long, value_name = "ACCURACY", conflicts_with_all = ["implementation", "backends", "batch_sizes", "optimizer",
        "noise", "NetworkOptions", "train_size", "test_size"])]
    pub(crate) time_to: Option<f64>,
    /// Train on noise without a black pixel, where no zero can be skipped
    #[arg(long)]
    pub(crate) noise: bool,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    pub(crate) network: NetworkOptions,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, after_help = examples::DATA)]
pub(crate) struct ShowDataOptions {
    #[cfg(feature = "download")]
    #[command(subcommand)]
    pub(crate) command: Option<DataCommand>,
    #[command(flatten)]
    pub(crate) source: SourceOptions,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(feature = "download")]
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DataCommand {
    /// Fetch collections of images into the cache, verify them, and go on with what was begun
    Download(DownloadOptions),
}

#[cfg(feature = "download")]
#[derive(Args, Debug)]
pub(crate) struct DownloadOptions {
    /// Which: mnist, fashion-mnist, kmnist
    #[arg(value_name = "NAME", default_value = "mnist")]
    pub(crate) names: Vec<String>,
    /// A folder on the web with the four files, instead of those known; may be repeated
    #[arg(long = "mirror", value_name = "URL")]
    pub(crate) mirrors: Vec<String>,
    /// For how many seconds a server may say nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) silence: u64,
    /// No progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[cfg(feature = "remote")]
#[derive(Args, Debug)]
pub(crate) struct ServeDeviceOptions {
    /// Where to listen; nothing that travels is encrypted, so beyond this machine only through a tunnel
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3737")]
    pub(crate) listen: std::net::SocketAddr,
    /// The file with the token that clients must have
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: PathBuf,
    #[command(flatten)]
    pub(crate) framework: BackendOptions,
}

#[derive(Args, Debug)]
pub(crate) struct DoctorOptions {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = examples::CONFIG)]
pub(crate) struct ConfigOptions {
    /// The command and its options, as in 'config train --implementation scratch'
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct CompletionsOptions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct ManOptions {
    /// The folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

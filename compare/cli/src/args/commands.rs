//! The options of each command. The doc comments of fields are the help texts. Flattened groups of options set the help
//! heading for everything after them, so a command's own options come first.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use mlp_parity_compare::record::Shard;
use mlp_parity_compare::statistics::{MARGIN, SequentialPlan};
#[cfg(feature = "remote")]
use mlp_parity_framework::Backend;

use super::examples;
use super::parsers::{SeedCount, number, plan, whole, whole_from_to};
use super::shared::{
    BackendOptions, CommonOptions, DataOptions, FrameworkOptions, ImplementationName, InitialOptions, NetworkOptions,
    RequiredResults, SavedOptions, SourceOptions, TrainingOptions,
};
use crate::input::source::Source;

#[derive(Args, Debug)]
pub(crate) struct AgreeOptions {
    /// Number of seeds to train with, starting from --seed, or 'auto': as many as are needed to decide
    #[arg(long, value_name = "N|auto", default_value_t = SeedCount::Fixed(1), value_parser = SeedCount::parse)]
    pub(crate) seeds: SeedCount,
    /// With --seeds auto, the largest number of seeds [default: 60]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = plan)]
    pub(crate) max_seeds: Option<SequentialPlan>,
    /// With several --seeds, the largest difference in mean test accuracy that counts as equivalent, in percentage
    /// points
    #[arg(long, value_name = "POINTS", default_value_t = 100.0 * MARGIN, allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) margin: f64,
    /// Write records, checkpoints, trained parameters and plots to DIR
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Resume the interrupted runs in the --output folder
    #[arg(long, requires = "output")]
    pub(crate) resume: bool,
    /// Resume runs even if another version of the program, processor or device started them; the results are then
    /// reproducible on neither
    #[arg(long, requires = "resume")]
    pub(crate) allow_mixed: bool,
    /// Write the checks and the verdict to FILE as JUnit XML, for CI servers
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write all results, with plots, to FILE as an HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Print every check, and the confusion matrices
    #[arg(long, short)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) framework: FrameworkOptions,
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
    /// Source of the images: 'embedded', a downloaded data set, or a folder with four IDX files
    /// [default: synthetic images; with --from, embedded MNIST]
    #[arg(long, value_name = "SOURCE", value_parser = Source::from_str)]
    pub(crate) data: Option<Source>,
    /// Check each implementation from the state in this checkpoint of a training run, on the next batches of its images
    #[arg(long, value_name = "CHECKPOINT", conflicts_with_all = ["trace", "accept", "initial", "NetworkOptions", "TrainingOptions"])]
    pub(crate) from: Option<PathBuf>,
    /// Check the trace in FILE, and each implementation on the data of that trace; ignores the network, training and
    /// data options
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Accept the explanation ID of a trace that disagrees, such as a convention that its metadata cannot declare; may be
    /// repeated
    #[arg(long, value_name = "ID", requires = "trace")]
    pub(crate) accept: Vec<String>,
    /// Reject a trace that lacks these results, which would otherwise not be compared; may be repeated
    #[arg(long, value_name = "RESULTS", requires = "trace")]
    pub(crate) require: Vec<RequiredResults>,
    /// Write the checks to FILE as JUnit XML, for CI servers
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the verdict, the diagnosis and the checks, with plots, to FILE as an HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Print all checks, not only those closest to their error bounds
    #[arg(long, short)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) framework: FrameworkOptions,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    pub(crate) initial: InitialOptions,
    #[command(flatten)]
    pub(crate) network: NetworkOptions,
    #[command(flatten)]
    pub(crate) training: TrainingOptions,
}

#[derive(Args, Debug)]
#[command(after_help = examples::TRACE)]
pub(crate) struct TraceOptions {
    /// Write the trace to FILE (safetensors)
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Implementation to record
    #[arg(long, value_enum, ignore_case = true, default_value = "scratch")]
    pub(crate) implementation: ImplementationName,
    /// Number of training steps to record
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = whole_from_to(0, 10_u8))]
    pub(crate) steps: u8,
    /// Source of the images: 'embedded', a downloaded data set, or a folder with four IDX files
    /// [default: synthetic images]
    #[arg(long, value_name = "SOURCE", value_parser = Source::from_str)]
    pub(crate) data: Option<Source>,
    #[command(flatten)]
    pub(crate) framework: BackendOptions,
    #[command(flatten)]
    pub(crate) initial: InitialOptions,
    #[command(flatten)]
    pub(crate) network: NetworkOptions,
    #[command(flatten)]
    pub(crate) training: TrainingOptions,
}

#[derive(Args, Debug)]
#[command(after_help = examples::REPRODUCE)]
pub(crate) struct ReproduceOptions {
    /// Number of seeds to train with, starting from 0, or 'auto': as many as are needed to decide whether the implementations
    /// agree, for each row
    #[arg(long, value_name = "N|auto", default_value_t = SeedCount::Fixed(5), value_parser = SeedCount::parse)]
    pub(crate) seeds: SeedCount,
    /// With --seeds auto, the largest number of seeds [default: 60]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = plan)]
    pub(crate) max_seeds: Option<SequentialPlan>,
    /// Reproduce only these tables and figures, as in 'table-1,figure-3'
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Write records, pages, tables and figures to DIR
    #[arg(long, value_name = "DIR", default_value = "reproduction")]
    pub(crate) output: PathBuf,
    /// Resume the interrupted reproduction in the --output folder
    #[arg(long)]
    pub(crate) resume: bool,
    /// Reproduce the report described in this TOML file instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub(crate) grid: Option<PathBuf>,
    /// Split the runs into N shards and run only the I-th; 'compare report' merges the records of all shards
    #[arg(long, value_name = "I/N", conflicts_with = "json", value_parser = Shard::from_str)]
    pub(crate) shard: Option<Shard>,
    /// Accept existing records that were made with other data or another revision of the program
    #[arg(long)]
    pub(crate) allow_mixed: bool,
    #[command(flatten)]
    pub(crate) framework: FrameworkOptions,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Args, Debug)]
pub(crate) struct ReportOptions {
    /// Folder with the records of a reproduction; the records of several folders, one per shard, are merged
    #[arg(value_name = "DIR", required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// Write pages, tables and figures to DIR [default: the folder with the records]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Insert the results into FILE, between the lines '<!-- results: begin -->' and '<!-- results: end -->'
    #[arg(long, value_name = "FILE")]
    pub(crate) readme: Option<PathBuf>,
    /// Accept records that were made with different data or different revisions of the program
    #[arg(long)]
    pub(crate) allow_mixed: bool,
    /// Print the result as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = examples::TRAIN)]
pub(crate) struct TrainOptions {
    /// Implementation to train; the default training configuration is 'sgd' for scratch, 'adam' for framework
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) implementation: ImplementationName,
    /// Evaluate the test images only after the last epoch
    #[arg(long)]
    pub(crate) test_last: bool,
    /// Write the trained parameters to FILE (safetensors)
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// Write a checkpoint after each epoch, and plots of the trained network, to DIR
    #[arg(long, value_name = "DIR", conflicts_with = "initial")]
    pub(crate) output: Option<PathBuf>,
    /// Resume the interrupted run in the --output folder
    #[arg(long, requires = "output")]
    pub(crate) resume: bool,
    /// Resume the run even if another version of the program, processor or device started it; the result is then
    /// reproducible on neither
    #[arg(long, requires = "resume")]
    pub(crate) allow_mixed: bool,
    #[command(flatten)]
    pub(crate) framework: BackendOptions,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    pub(crate) initial: InitialOptions,
    #[command(flatten)]
    pub(crate) network: NetworkOptions,
    #[command(flatten)]
    pub(crate) training: TrainingOptions,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

#[derive(Args, Debug)]
#[command(after_help = examples::EVALUATE)]
pub(crate) struct EvaluateOptions {
    #[command(flatten)]
    pub(crate) saved: SavedOptions,
    /// Implementation to evaluate with
    #[arg(long, value_enum, ignore_case = true, default_value = "scratch")]
    pub(crate) implementation: ImplementationName,
    #[command(flatten)]
    pub(crate) source: SourceOptions,
    /// Use only the first N test images
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<usize>)]
    pub(crate) test_size: Option<usize>,
    #[command(flatten)]
    pub(crate) framework: BackendOptions,
    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

#[derive(Args, Debug)]
#[command(after_help = examples::PREDICT)]
pub(crate) struct PredictOptions {
    #[command(flatten)]
    pub(crate) saved: SavedOptions,
    /// Pictures with one digit each (PNG, JPEG, WebP, GIF, BMP or TIFF, any size, dark on light or light on dark), or IDX files
    /// of images
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<PathBuf>,
    /// Write the images that the network sees to FILE as a PNG picture, ten in a row
    #[arg(long, value_name = "FILE")]
    pub(crate) show: Option<PathBuf>,
    /// Implementations to predict with; 'scratch,framework' shows both side by side
    #[arg(long = "implementation", value_enum, ignore_case = true, value_delimiter = ',', default_value = "scratch")]
    pub(crate) implementations: Vec<ImplementationName>,
    /// Largest picture to decode, in megapixels of 2^20 pixels; for an IDX file, of all its images together
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = whole_from_to(1, 4096_u32))]
    pub(crate) max_megapixels: u32,
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
    /// Output file; its extension selects the format (.onnx or .safetensors)
    pub(crate) output: PathBuf,
}

#[derive(Args, Debug)]
#[command(after_help = examples::BENCH)]
pub(crate) struct BenchOptions {
    /// Measure only this implementation [default: all]
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) implementation: Option<ImplementationName>,
    /// Number of images per batch; separate multiple values with commas, as in '16,64,256'
    #[arg(long = "batch-size", value_name = "N", value_delimiter = ',', default_value = "64",
        value_parser = whole::<usize>)]
    pub(crate) batch_sizes: Vec<usize>,
    /// Optimizer; momentum uses a coefficient of 0.9, adam and adamw a weight decay of 1e-4
    #[arg(long, ignore_case = true, value_parser = mlp_parity::Optimizer::NAMES, default_value = "sgd")]
    pub(crate) optimizer: String,
    /// Number of rounds, at least 3, each of which trains one epoch and classifies the test images; with --time-to, number
    /// of seeds [default: 5, or 10 with --time-to]
    #[arg(long, value_name = "N", value_parser = whole_from_to(3, u16::MAX))]
    pub(crate) rounds: Option<u16>,
    /// Instead, measure how the training time per image depends on batch size, layer width and number of threads, and
    /// write a table and plots to DIR
    #[arg(long, value_name = "DIR",
        conflicts_with_all = ["time_to", "batch_sizes", "hidden", "train_size", "test_size", "json"])]
    pub(crate) output: Option<PathBuf>,
    /// Instead, measure how long scratch takes to reach this test accuracy, a fraction of at most 0.98, from the start
    /// of the process to its end
    #[arg(long, value_name = "ACCURACY", value_parser = number,
        conflicts_with_all = ["implementation", "backends", "batch_sizes", "optimizer",
        "noise", "NetworkOptions", "train_size", "test_size"])]
    pub(crate) time_to: Option<f64>,
    /// Train on noise without zero pixels, because an implementation may save time by skipping zeros
    #[arg(long)]
    pub(crate) noise: bool,
    #[command(flatten)]
    pub(crate) framework: FrameworkOptions,
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
    /// Print the result as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(feature = "download")]
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DataCommand {
    /// Download data sets to the cache and verify them, resuming interrupted downloads
    Download(DownloadOptions),
}

#[cfg(feature = "download")]
#[derive(Args, Debug)]
pub(crate) struct DownloadOptions {
    /// Data sets to download: mnist, fashion-mnist, kmnist
    #[arg(value_name = "NAME", default_value = "mnist")]
    pub(crate) names: Vec<String>,
    /// Folder URL from which to download the four files, instead of the known servers; may be repeated
    #[arg(long = "mirror", value_name = "URL")]
    pub(crate) mirrors: Vec<String>,
    /// Give up on a server that sends no data for SECONDS
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = whole_from_to(1, u64::from(u32::MAX)))]
    pub(crate) silence: u64,
    /// Do not print progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[cfg(feature = "remote")]
#[derive(Args, Debug)]
pub(crate) struct ServeDeviceOptions {
    /// Address to listen on; the traffic is not encrypted, so use an encrypted tunnel between machines
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3737")]
    pub(crate) listen: std::net::SocketAddr,
    /// File with the access token that clients must present
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: PathBuf,
    /// Burn backend that runs the device ('compare doctor' lists the backends)
    #[arg(long, default_value = "flex", value_parser = Backend::from_str)]
    pub(crate) backend: Backend,
}

#[derive(Args, Debug)]
pub(crate) struct DoctorOptions {
    /// Print the result as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = examples::CONFIG)]
pub(crate) struct ConfigOptions {
    /// Command and its options, as in 'config train --implementation scratch'
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct CompletionsOptions {
    /// Shell to generate the script for
    #[arg(value_enum, ignore_case = true)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct ManOptions {
    /// Folder to write the pages to
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

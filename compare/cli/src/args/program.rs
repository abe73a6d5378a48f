//! The program and its commands.

use clap::{Parser, Subcommand};

use super::commands::*;
use super::examples;

#[derive(Debug, Parser)]
#[command(name = "compare", version, about = examples::ABOUT, long_about = examples::LONG_ABOUT)]
#[command(after_help = examples::MAIN, args_conflicts_with_subcommands = true)]
#[cfg_attr(not(feature = "full"), command(subcommand_required = true, arg_required_else_help = true))]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[cfg(feature = "full")]
    #[command(flatten)]
    pub(crate) agree: AgreeOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run only the check suite, against the float64 reference (takes seconds)
    Check(CheckOptions),
    /// Record the computations of one implementation in a trace file for 'check --trace'
    Trace(TraceOptions),
    /// Reproduce a published report by training every row of its tables
    #[cfg(feature = "full")]
    Reproduce(ReproduceOptions),
    /// Generate the pages, tables and figures of a reproduction from its records
    #[cfg(feature = "full")]
    Report(ReportOptions),
    /// Train a network with one implementation
    #[cfg(feature = "full")]
    Train(TrainOptions),
    /// Evaluate saved parameters on the test images
    #[cfg(feature = "full")]
    Evaluate(EvaluateOptions),
    /// Classify pictures of digits with saved parameters
    #[cfg(feature = "full")]
    Predict(PredictOptions),
    /// Export saved parameters as ONNX or safetensors
    #[cfg(feature = "full")]
    Export(ExportOptions),
    /// Measure the training and inference speed of each implementation
    #[cfg(feature = "full")]
    Bench(BenchOptions),
    /// Show and verify a data set, or download data sets
    #[cfg(feature = "full")]
    Data(ShowDataOptions),
    /// Make a device of this machine available to '--backend remote' on other machines, until interrupted
    #[cfg(feature = "remote")]
    ServeDevice(ServeDeviceOptions),
    /// List the available backends, and explain why the others are unavailable
    Doctor(DoctorOptions),
    /// Print the options of a command, with their values, as a TOML file for --config
    Config(ConfigOptions),
    /// Print a shell completion script
    Completions(CompletionsOptions),
    /// Write the manual pages to a folder
    Man(ManOptions),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn cli_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}

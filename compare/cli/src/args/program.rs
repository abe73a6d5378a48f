//! The program and its commands.

use clap::{Parser, Subcommand};

use super::commands::*;
use super::examples;

/// Compares two implementations of one neural network: 'scratch' (by hand) and 'framework' (with Burn)
///
/// Without a command, the program runs the full comparison:
///
///   1. The check suite compares the logits, loss, gradients, parameter updates and training loop
///      of each implementation with a float64 reference. Every difference must stay within a bound
///      on the rounding error.
///   2. If all checks pass, each implementation is trained with the two configurations of the
///      published report that this project reproduces: 'sgd' (learning rate 0.01) and 'adam'
///      (learning rate 0.01, weight decay 1e-4).
///   3. The trained networks are compared by their predictions on the test images. Control replicas
///      (copies of scratch whose initial parameters are perturbed by rounding-sized noise) show how
///      far rounding errors alone drive trained networks apart; the implementations may differ by
///      up to 3 times as much. With --seeds 2 or more, an equivalence test over the seeds replaces
///      the control replicas.
#[derive(Debug, Parser)]
#[command(name = "compare", version, after_help = examples::MAIN, args_conflicts_with_subcommands = true)]
#[command(verbatim_doc_comment)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
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
    Reproduce(ReproduceOptions),
    /// Generate the pages, tables and figures of a reproduction from its records
    Report(ReportOptions),
    /// Train a network with one implementation
    Train(TrainOptions),
    /// Evaluate saved parameters on the test images
    Evaluate(EvaluateOptions),
    /// Classify pictures of digits with saved parameters
    Predict(PredictOptions),
    /// Export saved parameters as ONNX or safetensors
    Export(ExportOptions),
    /// Measure the training and inference speed of each implementation
    Bench(BenchOptions),
    /// Show and verify a data set, or download data sets
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

//! The program and its commands.

use clap::{Parser, Subcommand};

use super::commands::*;
use super::examples;

/// Compares two implementations of one multi-layer perceptron: 'scratch' (written by hand) and 'framework' (Burn)
///
/// Without a command, the program runs the full comparison:
///
///   1. The check suite compares every value that an implementation computes with a float64
///      reference, within bounds on the rounding error: logits, loss, gradients, updates, training.
///   2. If all checks pass, each implementation is trained with both configurations of the report:
///      'sgd' (learning rate 0.01) and 'adam' (learning rate 0.01, weight decay 1e-4).
///   3. Control replicas (copies of scratch that start a rounding error apart) show how far rounding
///      alone drives trained networks apart; the implementations may differ by 3 times as much.
///      With several --seeds, a test for equivalence over the seeds replaces the control replicas.
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
    /// Run the check suite against the float64 reference (seconds; no training)
    Check(CheckOptions),
    /// Record the computations of one implementation in a trace file, for 'check --trace'
    Trace(TraceOptions),
    /// Reproduce a report: train every row of its tables with each implementation
    Reproduce(ReproduceOptions),
    /// Generate the pages, tables and figures of a reproduction from its records
    Report(ReportOptions),
    /// Train one implementation
    Train(TrainOptions),
    /// Evaluate saved parameters on the test images
    Evaluate(EvaluateOptions),
    /// Classify pictures of digits with saved parameters
    Predict(PredictOptions),
    /// Export saved parameters as ONNX or safetensors
    Export(ExportOptions),
    /// Measure the speed of each implementation against the fastest dense computation
    Bench(BenchOptions),
    /// Show and verify a data set, or download data sets
    Data(ShowDataOptions),
    /// Serve a device of this machine to '--backend remote' on other machines until interrupted
    #[cfg(feature = "remote")]
    ServeDevice(ServeDeviceOptions),
    /// Available backends, and why the others are unavailable
    Doctor(DoctorOptions),
    /// Print the effective options of a command as a TOML file for --config
    Config(ConfigOptions),
    /// Print a shell completion script
    Completions(CompletionsOptions),
    /// Write the manual pages
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

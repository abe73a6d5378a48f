//! The program and its commands.

use clap::{Parser, Subcommand};

use super::commands::*;
use super::examples;

/// Trains one multi-layer perceptron by hand and in a framework, from the same parameters on the same batches, and says
/// whether the two agree.
///
/// Without a command: checks every step of the computation against an reference, then trains everyone under both of the
/// report's trainings (SGD with learning rate 0.01; Adam with learning rate 0.01 and weight decay 1e-4), and judges the
/// differences by replicas that start √steps ulps apart, or over several seeds.
#[derive(Debug, Parser)]
#[command(name = "compare", version, after_help = examples::MAIN, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) agree: AgreeOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check every step of the computation against the reference, without training: seconds
    Check(CheckOptions),
    /// Write what one implementation computes on a few batches, for `check --trace`
    Trace(TraceOptions),
    /// Measure a report again, every row of its tables by every implementation, over several seeds
    Reproduce(ReproduceOptions),
    /// Make the pages, tables and figures of a reproduction from its records: under a second
    Report(ReportOptions),
    /// Train one implementation
    Train(TrainOptions),
    /// Evaluate saved parameters on the test images
    Evaluate(EvaluateOptions),
    /// Say which digits pictures show
    Predict(PredictOptions),
    /// Write a trained network for other programs: ONNX, or safetensors
    Export(ExportOptions),
    /// Measure how fast each implementation is here, beside the fastest that any dense one can be
    Bench(BenchOptions),
    /// List the data and verify them, or download some
    Data(ShowDataOptions),
    /// Lend a device of this machine to '--backend remote' elsewhere, until interrupted
    #[cfg(feature = "remote")]
    ServeDevice(ServeDeviceOptions),
    /// Show what this machine can run, and why not
    Doctor(DoctorOptions),
    /// Print every option of a command as it counts, in a file for --config
    Config(ConfigOptions),
    /// Print what completes commands and options in a shell
    Completions(CompletionsOptions),
    /// Write the manual as man pages
    Man(ManOptions),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }
}

//! `compare bench --time-to`: measures how long training to a test accuracy takes. Each seed runs `compare train` as a
//! process of its own, so that the time includes everything that a user waits for, from the start of the process to its
//! end.

use std::process::{Command, Stdio};
use std::time::Instant;

use mlp_parity_compare::Verdict;
use mlp_parity_compare::bench::{self, Spread, TimeToAccuracy};
use mlp_parity_compare::record::{Environment, RunRecord};
use serde::Deserialize;
use serde_json::json;

use crate::args::BenchOptions;
use crate::error::{Error, Result, verdict_exit_code};
use crate::output::print::print_json;
use crate::output::progress::{Progress, child_output};
use crate::output::terminal::{self, Page};

/// Number of seeds if `--rounds` is not given.
const SEEDS: u16 = 10;

/// Arguments of `compare train` that all [`RECIPES`] share: Nesterov momentum, large batches, and a one-cycle
/// learning-rate schedule.
const COMMON_ARGUMENTS: &str =
    "train --implementation scratch --optimizer momentum --nesterov --schedule one-cycle --batch-size 128 --test-last";

/// The recipes for fast training, in order of increasing time: a test accuracy, and the arguments of `compare train`
/// with which every seed reaches it.
///
/// The second recipe trains three epochs on five sixths of the images, which takes as long as two and a half epochs on
/// all of them; two epochs on all images do not reach 98 % with every seed.
const RECIPES: [(f64, &str); 2] =
    [(0.97, "--learning-rate 0.15 --epochs 1"), (0.98, "--learning-rate 0.12 --epochs 3 --train-size 50000")];

/// The member of the JSON document of `compare train --json` that is used here; the others are ignored.
#[derive(Deserialize)]
struct Document {
    runs: Vec<RunRecord>,
}

/// Runs the recipe for `accuracy` with several seeds, and prints the times.
///
/// Returns the exit code: 0 if all seeds reach the accuracy, 1 if a seed misses it, or the exit code of a training
/// process that fails.
pub(crate) fn run(options: &BenchOptions, accuracy: f64) -> Result<u8> {
    let recipe = recipe(accuracy)?;
    let threads = options.common.use_threads()?;
    let source = &options.data.source.data;
    let common =
        ["--quiet".to_owned(), "--json".to_owned(), format!("--threads={threads}"), format!("--data={source}")];
    let progress = Progress::new(options.common.quiet);
    let mut runs = Vec::new();
    for seed in 0..options.rounds.unwrap_or(SEEDS) {
        let result = match time_process(recipe.split(' ').chain(common.iter().map(String::as_str)), seed)? {
            Ok(result) => result,
            Err(exit_code) => return Ok(exit_code),
        };
        progress.print_line(&format!("seed {seed}: {:.2} %, {:.2} s", 100.0 * result.accuracy, result.seconds));
        runs.push(result);
    }
    let environment = Environment::current(threads);
    let processor = bench::processor();
    let seconds = Spread::of(runs.iter().map(|result| result.seconds));
    let all_reached = runs.iter().all(|result| result.accuracy >= accuracy);
    if options.common.json {
        let document = json!({
            "format": "mlp-parity-time-to/2",
            "environment": environment,
            "processor": processor,
            "accuracy": accuracy,
            "recipe": recipe,
            "seconds": seconds,
            "runs": runs,
        });
        print_json(serde_json::to_string_pretty(&document))?;
    } else {
        let machine = terminal::machine(&environment, processor.as_deref());
        let mut page = Page::new();
        terminal::time_to(&mut page, accuracy, &recipe, &seconds, &runs, &machine);
        page.print()?;
    }
    Ok(verdict_exit_code(if all_reached { Verdict::Agree } else { Verdict::Disagree }))
}

/// Runs this program in a new process with the given arguments and seed, and measures the time from its start to its
/// end.
///
/// The inner `Err` is the exit code of a process that failed; the process has printed its error on standard error.
///
/// # Errors
///
/// If the process cannot be started, or its output is not the expected JSON document.
fn time_process<'a>(arguments: impl Iterator<Item = &'a str>, seed: u16) -> Result<Result<TimeToAccuracy, u8>> {
    let program = std::env::current_exe().map_err(|error| cannot_run("this program", error))?;
    let mut command = Command::new(&program);
    command.args(arguments).arg(format!("--seed={seed}")).stderr(Stdio::inherit());
    let start = Instant::now();
    let output = child_output(&mut command).map_err(|error| cannot_run(&program.display().to_string(), error))?;
    let seconds = start.elapsed().as_secs_f64();
    if !output.status.success() {
        let code = output.status.code().and_then(|code| code.try_into().ok());
        return Ok(Err(code.unwrap_or(verdict_exit_code(Verdict::Failed))));
    }
    let document: Document =
        serde_json::from_slice(&output.stdout).map_err(|error| Error::records(error.to_string()))?;
    let last = document.runs.last().and_then(|run| run.epochs.last());
    Ok(Ok(TimeToAccuracy { seed, accuracy: last.map_or(0.0, |epoch| epoch.test_accuracy), seconds }))
}

/// Returns the arguments of the fastest recipe that reaches `accuracy`.
///
/// # Errors
///
/// [`Error::Usage`] if no recipe reaches it, or `accuracy` is not positive.
fn recipe(accuracy: f64) -> Result<String> {
    let recipe = RECIPES.into_iter().find(|&(reached, _)| (f64::MIN_POSITIVE..=reached).contains(&accuracy));
    let Some((_, arguments)) = recipe else {
        let accuracies = RECIPES.map(|(reached, _)| reached.to_string()).join(" and ");
        return Err(Error::Usage(format!(
            "--time-to: no recipe for {accuracy}; recipes exist for test accuracies of {accuracies}"
        )));
    };
    Ok(format!("{COMMON_ARGUMENTS} {arguments}"))
}

/// Creates the error for a program that cannot be started.
fn cannot_run(program: &str, source: std::io::Error) -> Error {
    mlp_parity::Error::io("run", program.as_ref())(source).into()
}

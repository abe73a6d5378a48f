//! How long it takes to reach an accuracy, as the user waits for it: processes of this program, from their start to their
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
use crate::output::print::{print, print_json};
use crate::output::progress::Progress;
use crate::output::terminal;

/// Seeds, where the user does not say how many.
const SEEDS: u16 = 10;

/// What each takes: Nesterov's momentum, large batches, and one cycle of the learning rate.
const RECIPE: &str =
    "train --implementation scratch --optimizer momentum --nesterov --schedule one-cycle --batch-size 128 --test-last";

/// What reaches which accuracy with every seed, the shortest first. Three passes over five sixths of the images take as
/// long as two and a half over all, and two are not enough for each seed.
const RECIPES: [(f64, &str); 2] =
    [(0.97, "--learning-rate 0.15 --epochs 1"), (0.98, "--learning-rate 0.12 --epochs 3 --train-size 50000")];

/// What is read of the document that a process prints.
#[derive(Deserialize)]
struct Document {
    runs: Vec<RunRecord>,
}

pub(crate) fn run(options: &BenchOptions, accuracy: f64) -> Result<u8> {
    let recipe = recipe(accuracy)?;
    let threads = options.common.use_threads()?;
    let source = &options.data.source.data;
    let common =
        ["--quiet".to_owned(), "--json".to_owned(), format!("--threads={threads}"), format!("--data={source}")];
    let progress = Progress::new(options.common.quiet);
    let mut runs = Vec::new();
    for seed in 0..options.rounds.unwrap_or(SEEDS) {
        if progress.interrupted() {
            return Ok(verdict_exit_code(Verdict::Interrupted));
        }
        let reached = match time_run(recipe.split(' ').chain(common.iter().map(String::as_str)), seed)? {
            Ok(reached) => reached,
            Err(exit_code) => return Ok(exit_code),
        };
        progress.say(&format!("seed {seed}: {:.2} %, {:.2} s", 100.0 * reached.accuracy, reached.seconds));
        runs.push(reached);
    }
    let environment = Environment::here(threads);
    let processor = bench::processor();
    let seconds = Spread::of(runs.iter().map(|reached| reached.seconds));
    let all_reached = runs.iter().all(|reached| reached.accuracy >= accuracy);
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
        print(terminal::time_to(accuracy, &recipe, &seconds, &runs, &machine))?;
    }
    Ok(verdict_exit_code(if all_reached { Verdict::Agree } else { Verdict::Disagree }))
}

/// Runs this program with these arguments and this seed. If it fails, it has said why on standard error, and its exit code is
/// returned.
fn time_run<'a>(arguments: impl Iterator<Item = &'a str>, seed: u16) -> Result<Result<TimeToAccuracy, u8>> {
    let program = std::env::current_exe().map_err(|error| cannot_run("this program", error))?;
    let mut command = Command::new(&program);
    command.args(arguments).arg(format!("--seed={seed}")).stderr(Stdio::inherit());
    let start = Instant::now();
    let output = command.output().map_err(|error| cannot_run(&program.display().to_string(), error))?;
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

/// The command of the shortest recipe for this accuracy.
fn recipe(accuracy: f64) -> Result<String> {
    let reaching = RECIPES.into_iter().find(|&(reached, _)| (f64::MIN_POSITIVE..=reached).contains(&accuracy));
    let Some((_, options)) = reaching else {
        let known = RECIPES.map(|(reached, _)| reached.to_string()).join(" and ");
        return Err(Error::Usage(format!("--time-to: there is no recipe for {accuracy}, but for {known}")));
    };
    Ok(format!("{RECIPE} {options}"))
}

fn cannot_run(program: &str, source: std::io::Error) -> Error {
    mlp_parity::Error::io("run", program.as_ref())(source).into()
}

//! How fast each implementation is on this machine.

use std::path::Path;

use mlp_parity::storage::ensure_writable_folder;
use mlp_parity::{Dataset, Parameters};
use mlp_parity_compare::Verdict;
use mlp_parity_compare::bench::Job;
use mlp_parity_compare::bench::{self, Contestant};
use mlp_parity_compare::record::Environment;
use serde_json::json;

use super::time_to;
use crate::args::{BenchOptions, ImplementationName};
use crate::error::{Result, verdict_exit_code};
use crate::implementation::{self, participants};
use crate::output::print::{print, print_json};
use crate::output::progress::Progress;
use crate::output::{plots, terminal};

/// Rounds, where the user does not say how many.
const ROUNDS: u16 = 5;

pub(crate) fn run(options: &BenchOptions) -> Result<u8> {
    if let Some(accuracy) = options.time_to {
        return time_to::run(options, accuracy);
    }
    let plans = options.plans()?;
    if options.implementation != Some(ImplementationName::Scratch) {
        implementation::check_activation(options.network.activation)?;
    }
    let threads = options.common.use_threads()?;
    let participants = match options.implementation {
        Some(ImplementationName::Scratch) => vec![implementation::scratch()?],
        Some(ImplementationName::Framework) => participants(&options.framework)?.split_off(1),
        None => participants(&options.framework)?,
    };
    options.output.as_deref().map_or(Ok(()), ensure_writable_folder)?;
    let mut images = options.data.load()?;
    if options.noise {
        images.train = Dataset::noise(images.train.len(), images.train.image_shape(), images.train.classes(), 0)?;
    }
    let config = options.network.config(&images.train)?;
    let progress = Progress::new(options.common.quiet);
    let rounds = options.rounds.unwrap_or(ROUNDS).into();
    let sets = [&images.train, &images.test];
    if let (Some(folder), [plan]) = (&options.output, &plans[..]) {
        let job = Job { participants: &participants, config: &config, plan, sets, threads, rounds };
        return grow(&job, folder, &progress);
    }
    let parameters = Parameters::glorot_uniform(&config, 0);
    let mut contestants = Vec::new();
    for plan in &plans {
        for participant in &participants {
            let model = participant.create(&config, &parameters)?;
            contestants.push(Contestant { identity: participant.identity().clone(), model, plan: *plan });
        }
    }
    let goes_on = |round| {
        progress.say(&if round == 0 { "warming up".to_owned() } else { format!("round {round} of {rounds}") });
        !progress.interrupted()
    };
    let Some(bench) = bench::run(&mut contestants, sets, threads, rounds, goes_on)? else {
        return Ok(verdict_exit_code(Verdict::Interrupted));
    };
    let environment = Environment::here(threads);
    if options.common.json {
        let document = json!({
            "format": "mlp-parity-bench/1",
            "environment": environment,
            "config": config,
            "plan": plans.first(),
            "dataset": images.record,
            "noise": options.noise,
            "rounds": rounds,
            "bench": bench,
        });
        print_json(serde_json::to_string_pretty(&document))?;
    } else {
        print(terminal::bench(&bench, &environment))?;
    }
    Ok(if bench.is_steady() { 0 } else { verdict_exit_code(Verdict::Inconclusive) })
}

/// Writes what training costs as the work grows.
fn grow(job: &Job<'_>, folder: &Path, progress: &Progress) -> Result<u8> {
    let goes_on = |axis, at| {
        progress.say(&format!("{axis}: {at}"));
        !progress.interrupted()
    };
    let Some(costs) = job.costs(goes_on)? else { return Ok(verdict_exit_code(Verdict::Interrupted)) };
    plots::cost(&costs, folder)?;
    Ok(0)
}

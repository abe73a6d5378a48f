//! How fast each implementation is on this machine.

use std::path::Path;

use mlp_parity::storage::ensure_writable_folder;
use mlp_parity::{Dataset, MlpConfig, Parameters, TrainingConfig};
use mlp_parity_compare::bench::{self, BenchCandidate, CostSweep};
use mlp_parity_compare::record::Environment;
use mlp_parity_compare::{Candidate, Verdict};
use serde_json::json;

use super::time_to;
use crate::args::{BenchOptions, ImplementationName};
use crate::error::{Result, verdict_exit_code};
use crate::implementation::{self, candidates};
use crate::output::print::{print, print_json};
use crate::output::progress::Progress;
use crate::output::{plots, terminal};

/// Rounds, where the user does not say how many.
const ROUNDS: u16 = 5;

pub(crate) fn run(options: &BenchOptions) -> Result<u8> {
    if let Some(accuracy) = options.time_to {
        return time_to::run(options, accuracy);
    }
    let trainings = options.trainings()?;
    if options.implementation != Some(ImplementationName::Scratch) {
        implementation::check_activation(options.network.activation)?;
    }
    let threads = options.common.use_threads()?;
    let candidates = match options.implementation {
        Some(ImplementationName::Scratch) => vec![implementation::scratch()?],
        Some(ImplementationName::Framework) => candidates(&options.framework)?.split_off(1),
        None => candidates(&options.framework)?,
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
    if let (Some(folder), [training]) = (&options.output, &trainings[..]) {
        let job = CostSweep { candidates: &candidates, config: &config, training, sets, threads, rounds };
        return grow(&job, folder, &progress);
    }
    let mut bench_candidates = bench_candidates(&candidates, &trainings, &config)?;
    let goes_on = |round| {
        progress.say(&if round == 0 { "warming up".to_owned() } else { format!("round {round} of {rounds}") });
        !progress.interrupted()
    };
    let Some(bench) = bench::run(&mut bench_candidates, sets, threads, rounds, goes_on)? else {
        return Ok(verdict_exit_code(Verdict::Interrupted));
    };
    let environment = Environment::here(threads);
    if options.common.json {
        let document = json!({
            "format": "mlp-parity-bench/2",
            "environment": environment,
            "config": config,
            "training": trainings.first(),
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

/// Creates a network of each candidate for each training configuration.
fn bench_candidates(
    candidates: &[Candidate],
    trainings: &[TrainingConfig],
    config: &MlpConfig,
) -> Result<Vec<BenchCandidate>> {
    let parameters = Parameters::glorot_uniform(config, 0);
    let mut created = Vec::new();
    for training in trainings {
        for candidate in candidates {
            let model = candidate.create(config, &parameters)?;
            created.push(BenchCandidate { identity: candidate.identity().clone(), model, training: *training });
        }
    }
    Ok(created)
}

/// Writes what training costs as the work grows.
fn grow(job: &CostSweep<'_>, folder: &Path, progress: &Progress) -> Result<u8> {
    let goes_on = |axis, at| {
        progress.say(&format!("{axis}: {at}"));
        !progress.interrupted()
    };
    let Some(costs) = job.costs(goes_on)? else { return Ok(verdict_exit_code(Verdict::Interrupted)) };
    plots::cost(&costs, folder)?;
    Ok(0)
}

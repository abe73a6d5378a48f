//! `compare bench`: measures the training and inference speed of each implementation on this machine.

use std::path::Path;

use mlp_parity::storage::FolderLock;
use mlp_parity::{Dataset, MlpConfig, Parameters, TrainingConfig};
use mlp_parity_compare::bench::{self, BenchCandidate, CostSweep};
use mlp_parity_compare::record::Environment;
use mlp_parity_compare::{Candidate, Verdict};
use serde_json::json;

use super::time_to;
use crate::args::{BenchOptions, ImplementationName};
use crate::error::{Result, verdict_exit_code};
use crate::implementation::{self, candidates};
use crate::memory::MemoryCost;
use crate::output::print::print_json;
use crate::output::progress::Progress;
use crate::output::terminal::{self, Detail, Page};
use crate::output::{folder, plots};

/// Number of rounds if `--rounds` is not given.
const ROUNDS: u16 = 5;

/// Runs `compare bench` and returns the exit code.
pub(crate) fn run(options: &BenchOptions) -> Result<u8> {
    if let Some(accuracy) = options.time_to {
        return time_to::run(options, accuracy);
    }
    let trainings = options.trainings()?;
    let threads = options.common.use_threads()?;
    let candidates = match options.implementation {
        Some(ImplementationName::Scratch) => vec![implementation::scratch()?],
        // Scratch is always the first candidate.
        Some(ImplementationName::Framework) => candidates(&options.framework)?.split_off(1),
        None => candidates(&options.framework)?,
    };
    options.output.as_deref().map_or(Ok(()), folder::prepare)?;
    let _lock = options.output.as_deref().map(FolderLock::acquire).transpose()?;
    let mut images = options.data.load()?;
    if options.noise {
        images.train = Dataset::noise(images.train.len(), images.train.image_shape(), images.train.classes(), 0)?;
    }
    let config = options.network.config(&images.train)?;
    let largest = options.batch_sizes.iter().max().map_or(1, |&size| size.min(images.train.len()));
    MemoryCost::TRAIN.ensure(&config, largest, candidates.len() * trainings.len())?;
    let progress = Progress::new(options.common.quiet);
    let rounds = options.rounds.unwrap_or(ROUNDS).into();
    let sets = [&images.train, &images.test];
    if let (Some(folder), [training]) = (&options.output, &trainings[..]) {
        let job = CostSweep { candidates: &candidates, config: &config, training, sets, threads, rounds };
        return sweep(&job, folder, &progress);
    }
    let mut bench_candidates = bench_candidates(&candidates, &trainings, &config)?;
    let round_started = |round| {
        progress.print_line(&if round == 0 { "warming up".to_owned() } else { format!("round {round} of {rounds}") });
    };
    let bench = bench::run(&mut bench_candidates, sets, threads, rounds, round_started)?;
    let environment = Environment::current(threads);
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
        let mut page = Page::new();
        terminal::devices(&mut page, &candidates, Detail::Stages);
        terminal::bench(&mut page, &bench, &environment);
        page.print()?;
    }
    Ok(if bench.is_stable() { 0 } else { verdict_exit_code(Verdict::Inconclusive) })
}

/// Creates one network per training configuration and candidate, all with the same initial parameters.
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

/// Runs `compare bench --output`: measures how the training time per image depends on batch size, layer width and
/// number of threads, and writes a table and plots to a folder. Returns the exit code.
fn sweep(job: &CostSweep<'_>, folder: &Path, progress: &Progress) -> Result<u8> {
    let costs = job.costs(|axis, value| progress.print_line(&format!("{axis}: {value}")))?;
    plots::write_cost(&costs, folder)?;
    Ok(0)
}

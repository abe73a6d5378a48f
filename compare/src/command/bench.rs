//! How fast each implementation is on this machine.

use mlp_parity::{Dataset, Parameters};
use mlp_parity_compare::bench::{self, Contestant};
use mlp_parity_compare::record::Environment;
use mlp_parity_compare::{Result, Verdict, Watcher};
use serde_json::json;

use super::{participants, print, print_json};
use crate::cli::{BenchOptions, ImplementationName};
use crate::progress::Progress;
use crate::{implementation, report};

pub(crate) fn run(options: &BenchOptions) -> Result<u8> {
    let plans = options.plans()?;
    if options.implementation != Some(ImplementationName::Scratch) {
        implementation::check_activation(options.network.activation)?;
    }
    let threads = options.common.use_threads()?;
    let participants = match options.implementation {
        Some(ImplementationName::Scratch) => vec![implementation::scratch()?],
        Some(ImplementationName::Framework) => participants(&options.framework.backends)?.split_off(1),
        None => participants(&options.framework.backends)?,
    };
    let mut images = options.data.load()?;
    if options.noise {
        images.train = Dataset::noise(images.train.len(), images.train.image_shape(), 0)?;
    }
    let config = options.network.config(&images.train)?;
    let parameters = Parameters::glorot_uniform(&config, 0);
    let mut contestants = Vec::new();
    for plan in &plans {
        for participant in &participants {
            let model = participant.create(&config, &parameters)?;
            contestants.push(Contestant { identity: participant.identity().clone(), model, plan: *plan });
        }
    }
    let progress = Progress::new(options.common.quiet);
    let rounds = options.rounds.into();
    let goes_on = |round| {
        progress.say(&if round == 0 { "warming up".to_owned() } else { format!("round {round} of {rounds}") });
        !progress.interrupted()
    };
    let sets = [&images.train, &images.test];
    let Some(bench) = bench::run(&mut contestants, sets, threads, rounds, goes_on)? else {
        return Ok(Verdict::Interrupted.exit_code());
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
            "rounds": options.rounds,
            "bench": bench,
        });
        print_json(serde_json::to_string_pretty(&document))?;
    } else {
        print(report::bench(&bench, &environment))?;
    }
    Ok(if bench.is_steady() { 0 } else { Verdict::Inconclusive.exit_code() })
}

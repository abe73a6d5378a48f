//! One implementation, trained.

use mlp_parity::{ParameterFile, Parameters};
use mlp_parity_compare::record::{Environment, Setting};
use mlp_parity_compare::{Result, Trial, Verdict};

use super::{print, print_json, writable};
use crate::cli::{ImplementationName, TrainOptions};
use crate::options::{FRAMEWORK, FROM_SCRATCH};
use crate::progress::Progress;
use crate::{implementation, report};

pub(crate) fn run(options: &TrainOptions) -> Result<u8> {
    let of_the_report = match options.implementation {
        ImplementationName::Scratch => FROM_SCRATCH,
        ImplementationName::Framework => FRAMEWORK,
    };
    let plans = options.plan.plans(&[of_the_report])?;
    let threads = options.common.use_threads()?;
    let participant = implementation::named(options.implementation, options.backend, options.network.activation)?;
    options.save.as_deref().map_or(Ok(()), writable)?;
    let images = options.data.load()?;
    let config = options.network.config(&images.train)?;
    let mut model = participant.create(&config, &Parameters::glorot_uniform(&config, options.plan.seed))?;
    let environment = Environment::here(threads);
    let setting = Setting { config: &config, plans: &plans, dataset: &images.record, environment: &environment };
    let progress = Progress::new(options.common.quiet);
    let mut stopped = false;
    let mut records = Vec::new();
    for plan in &plans {
        let trial = Trial { plan, train: &images.train, test: &images.test, test_each_epoch: true };
        let name = participant.identity().to_string();
        let run = trial.run(model.as_mut(), participant.identity(), &name, &progress)?;
        if let Some(path) = &options.save {
            ParameterFile { parameters: model.parameters()?, activation: Some(config.activation()) }.save(path)?;
        }
        stopped |= run.stopped;
        records.push(run.record);
    }
    let records: Vec<_> = records.iter().collect();
    if options.common.json {
        print_json(setting.document(&records, None))?;
    } else {
        print(report::epochs(&records))?;
    }
    Ok(if stopped { Verdict::Interrupted.exit_code() } else { 0 })
}

//! One implementation, trained.

use mlp_parity::storage::ensure_writable_folder;
use mlp_parity::{ParameterFile, Parameters, SafetensorsFile};
use mlp_parity_compare::checkpoint::Keeper;
use mlp_parity_compare::record::{Environment, Setting};
use mlp_parity_compare::{Result, Trial, Verdict};

use super::{print, print_json, writable};
use crate::cli::{ImplementationName, TrainOptions};
use crate::options::{FRAMEWORK, FROM_SCRATCH};
use crate::progress::{Kept, Progress, tell};
use crate::{implementation, plot, report};

pub(crate) fn run(options: &TrainOptions) -> Result<u8> {
    let of_the_report = match options.implementation {
        ImplementationName::Scratch => FROM_SCRATCH,
        ImplementationName::Framework => FRAMEWORK,
    };
    let plans = options.plan.plans(&[of_the_report])?;
    let threads = options.common.use_threads()?;
    let participant = implementation::named(options.implementation, &options.framework, options.network.activation)?;
    options.save.as_deref().map_or(Ok(()), writable)?;
    options.output.as_deref().map_or(Ok(()), ensure_writable_folder)?;
    let images = options.data.load()?;
    let config = options.network.config(&images.train)?;
    let mut model = participant.create(&config, &Parameters::glorot_uniform(&config, options.plan.seed))?;
    let environment = Environment::here(threads);
    let setting = Setting { config: &config, plans: &plans, dataset: &images.record, environment: &environment };
    let progress = Progress::new(options.common.quiet);
    let keeper = options.output.as_deref().map(|folder| Keeper {
        folder,
        resumes: options.resume,
        config: &config,
        dataset: &images.record,
    });
    let watcher = Kept { progress: &progress, keeper };
    let mut stopped = false;
    let mut records = Vec::new();
    for plan in &plans {
        let trial = Trial { plan, train: &images.train, test: &images.test, test_each_epoch: !options.test_last };
        let name = participant.identity().to_string();
        let run = trial.run(model.as_mut(), participant.identity(), &name, &watcher)?;
        if let Some(path) = &options.save {
            if run.stopped && path.exists() {
                // Perhaps of a network that was trained to its end.
                tell(format_args!("{} stays as it was: this run was interrupted", path.display()));
            } else {
                ParameterFile { parameters: model.parameters()?, activation: Some(config.activation()) }.save(path)?;
            }
        }
        if let Some(folder) = &options.output {
            plot::trained(&images.test, &plan.name, &[&run], folder)?;
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

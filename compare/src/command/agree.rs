//! The main job.

use std::path::Path;

use mlp_parity::file::ensure_writable_folder;
use mlp_parity::{ParameterFile, Parameters};
use mlp_parity_compare::record::{Environment, RunRecord, Setting};
use mlp_parity_compare::{Comparison, Outcome, Result};

use super::{participants, print, print_json};
use crate::cli::AgreeOptions;
use crate::options::{FRAMEWORK, FROM_SCRATCH};
use crate::progress::Progress;
use crate::{implementation, report};

/// Twins that make the control.
const TWINS: usize = 2;

pub(crate) fn run(options: &AgreeOptions) -> Result<u8> {
    implementation::check_activation(options.network.activation)?;
    let plans = options.plan.plans(&[FROM_SCRATCH, FRAMEWORK])?;
    let threads = options.common.use_threads()?;
    let participants = participants(&options.backends)?;
    if let Some(folder) = &options.output {
        ensure_writable_folder(folder)?;
    }
    let images = options.data.load()?;
    let config = options.network.config(&images.train)?;
    let parameters = Parameters::glorot_uniform(&config, options.plan.seed);
    let environment = Environment::here(threads);
    let setting = Setting { config: &config, plans: &plans, dataset: &images.record, environment: &environment };
    let comparison = Comparison {
        participants: &participants,
        config: &config,
        plans: &plans,
        parameters: &parameters,
        train: &images.train,
        test: &images.test,
        twins: TWINS,
        threads,
    };
    let outcome = comparison.run(&Progress::new(options.common.quiet))?;
    if let Some(folder) = &options.output {
        write(folder, &setting, &outcome)?;
    }
    if options.common.json {
        print_json(setting.document(&records(&outcome), Some(&outcome)))?;
    } else {
        print(report::outcome(&setting, &outcome))?;
    }
    if let Some(error) = &outcome.error {
        eprintln!("error: {error}");
    }
    Ok(outcome.exit_code())
}

fn records(outcome: &Outcome) -> Vec<&RunRecord> {
    outcome.runs.iter().map(|run| &run.record).collect()
}

/// The records of all runs, and the parameters of those that are complete.
fn write(folder: &Path, setting: &Setting<'_>, outcome: &Outcome) -> Result<()> {
    for run in outcome.runs.iter().filter(|run| !run.stopped) {
        let name = format!("{}.{}.safetensors", run.record.plan, run.record.identity).replace('/', "-");
        let file = ParameterFile { parameters: run.parameters.clone(), activation: Some(setting.config.activation()) };
        file.save(&folder.join(name))?;
    }
    Ok(setting.append(&folder.join("records.jsonl"), &records(outcome))?)
}

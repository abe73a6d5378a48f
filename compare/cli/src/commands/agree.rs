//! The main job.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mlp_parity::storage::ensure_writable_folder;
use mlp_parity::{Differentiable, ParameterFile, SafetensorsFile};
use mlp_parity_compare::record::{self, Environment, Journal, RECORDS, Record, RunRecord, Setting};
use mlp_parity_compare::training::{Keeper, document, growth};
use mlp_parity_compare::{Comparison, NamedPlan, Run};

use crate::args::AgreeOptions;
use crate::args::values::{FRAMEWORK, FROM_SCRATCH};
use crate::error::{Error, Result, outcome_exit_code};
use crate::implementation::{self, participants};
use crate::output::print::{print, print_json, tell, warn_of_torn_line};
use crate::output::progress::{Progress, monitor};
use crate::output::writable::writable;
use crate::output::{junit, plots, terminal};

/// Twins that make the control.
const TWINS: usize = 2;

/// For how many steps of training the growth of differences is followed.
const GROWTH_STEPS: usize = 1000;

pub(crate) fn run(options: &AgreeOptions) -> Result<u8> {
    implementation::check_activation(options.network.activation)?;
    let plans = options.plan.plans(&[FROM_SCRATCH, FRAMEWORK])?;
    let margin = options.margin()?;
    let threads = options.common.use_threads()?;
    let participants = participants(&options.framework)?;
    options.output.as_deref().map_or(Ok(()), ensure_writable_folder)?;
    options.junit.as_deref().map_or(Ok(()), writable)?;
    let images = options.data.load()?;
    let config = options.network.config(&images.train)?;
    let environment = Environment::here(threads);
    let setting = Setting { config: &config, plans: &plans, dataset: &images.record, environment: &environment };
    let comparison = Comparison {
        participants: &participants,
        config: &config,
        plans: &plans,
        seeds: usize::from(options.seeds),
        margin,
        twins: TWINS,
        train: &images.train,
        test: &images.test,
        threads,
    };
    let progress = Progress::new(options.common.quiet);
    let folder = options.output.as_deref();
    let dataset = &images.record;
    let checkpoints = folder.map(|folder| Keeper { folder, resumes: options.resume, config: &config, dataset });
    let journal = folder.map(open_journal).transpose()?.map(Mutex::new);
    let begun = folder.filter(|_| options.resume).map(|folder| record::read(&folder.join(RECORDS))).transpose()?;
    let recorder = Recorder { setting: &setting, folder, journal, begun: begun.unwrap_or_default().0 };
    let monitor = monitor(&progress, checkpoints).when_ended(|run, model| recorder.record(run, model));
    let outcome = comparison.run(&monitor)?;
    if let Some(folder) = folder.filter(|_| !outcome.runs.is_empty() && outcome.error.is_none()) {
        for NamedPlan { name, plan } in &plans {
            let of_first_seed = |run: &&Run| run.record.plan == *name && run.record.seed == plan.seed() && !run.stopped;
            let runs: Vec<&Run> = outcome.runs.iter().filter(of_first_seed).collect();
            plots::trained(&images.test, name, &runs, folder)?;
        }
        let drifts = growth::follow(&comparison, GROWTH_STEPS, &|| progress.interrupted())?;
        plots::growth(&drifts, folder)?;
    }
    if let Some(path) = &options.junit {
        junit::outcome(&outcome, path)?;
    }
    if options.common.json {
        let records: Vec<&RunRecord> = outcome.runs.iter().map(|run| &run.record).collect();
        print_json(document(&setting, &records, Some(&outcome)))?;
    } else {
        print(terminal::outcome(&setting, &outcome, options.verbose)?)?;
    }
    if let Some(error) = &outcome.error {
        tell(format_args!("error: {error}"));
    }
    Ok(outcome_exit_code(&outcome))
}

fn open_journal(folder: &Path) -> Result<Journal> {
    let path = folder.join(RECORDS);
    let (journal, was_torn) = Journal::open(&path)?;
    if was_torn {
        warn_of_torn_line(&path);
    }
    Ok(journal)
}

impl AgreeOptions {
    /// As a share of the images.
    fn margin(&self) -> Result<f64> {
        if self.margin > 0.0 && self.margin <= 100.0 {
            return Ok(self.margin / 100.0);
        }
        Err(Error::Usage(format!("--margin: {} is not above 0 and at most 100 points", self.margin)))
    }
}

/// Writes each run into the folder as soon as it ends.
struct Recorder<'a> {
    setting: &'a Setting<'a>,
    folder: Option<&'a Path>,
    journal: Option<Mutex<Journal>>,
    /// What is written down already.
    begun: Vec<Record>,
}

impl Recorder<'_> {
    /// The file of trained parameters, which are kept of each plan's first seed: the others can be trained again from it.
    fn parameters_path(&self, folder: &Path, run: &RunRecord) -> Option<PathBuf> {
        let plan = self.setting.plans.iter().find(|plan| plan.name == run.plan && plan.plan.seed() == run.seed)?;
        Some(folder.join(format!("{}.{}.safetensors", plan.name, run.identity).replace('/', "-")))
    }
    /// Writes down a run that ended, and the parameters of a complete one.
    fn record(&self, run: &Run, model: &dyn Differentiable) -> mlp_parity_compare::Result<()> {
        let (Some(folder), Some(journal)) = (self.folder, &self.journal) else { return Ok(()) };
        let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = self.parameters_path(folder, &run.record).filter(|_| !run.stopped) {
            let activation = Some(self.setting.config.activation());
            ParameterFile { parameters: model.parameters()?, activation }.save(&path)?;
        }
        let is_known = |record: &Record| self.begun.iter().any(|known| known.measurement == record.measurement);
        let record = self.setting.record(&run.record).filter(|record| !is_known(record));
        record.map_or(Ok(()), |record| journal.append(&record))
    }
}

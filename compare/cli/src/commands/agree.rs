//! The main job.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mlp_parity::storage::ensure_writable_folder;
use mlp_parity::{Differentiable, ParameterFile, SafetensorsFile};
use mlp_parity_compare::record::{self, Environment, Journal, RECORDS, Record, RunContext, RunRecord};
use mlp_parity_compare::training::{CheckpointStore, divergence, document};
use mlp_parity_compare::{Comparison, NamedTraining, Run};

use crate::args::AgreeOptions;
use crate::args::values::{ADAM, SGD};
use crate::error::{Error, Result, outcome_exit_code};
use crate::implementation::{self, candidates};
use crate::output::print::{print, print_json, tell, warn_of_torn_line};
use crate::output::progress::{Progress, monitor};
use crate::output::writable::writable;
use crate::output::{junit, plots, terminal};

/// Replicas that make the control.
const CONTROL_REPLICAS: usize = 2;

/// For how many steps of training the divergence of differences is followed.
const DIVERGENCE_STEPS: usize = 1000;

pub(crate) fn run(options: &AgreeOptions) -> Result<u8> {
    implementation::check_activation(options.network.activation)?;
    let trainings = options.training.trainings(&[SGD, ADAM])?;
    let margin = options.margin()?;
    let threads = options.common.use_threads()?;
    let candidates = candidates(&options.framework)?;
    options.output.as_deref().map_or(Ok(()), ensure_writable_folder)?;
    options.junit.as_deref().map_or(Ok(()), writable)?;
    let images = options.data.load()?;
    let config = options.network.config(&images.train)?;
    let environment = Environment::here(threads);
    let context =
        RunContext { config: &config, trainings: &trainings, dataset: &images.record, environment: &environment };
    let comparison = Comparison {
        candidates: &candidates,
        config: &config,
        trainings: &trainings,
        seeds: usize::from(options.seeds),
        margin,
        replicas: CONTROL_REPLICAS,
        train: &images.train,
        test: &images.test,
        threads,
    };
    let progress = Progress::new(options.common.quiet);
    let folder = options.output.as_deref();
    let dataset = &images.record;
    let checkpoints =
        folder.map(|folder| CheckpointStore { folder, resumes: options.resume, config: &config, dataset });
    let journal = folder.map(open_journal).transpose()?.map(Mutex::new);
    let begun = folder.filter(|_| options.resume).map(|folder| record::read(&folder.join(RECORDS))).transpose()?;
    let recorder = Recorder { context: &context, folder, journal, begun: begun.unwrap_or_default().0 };
    let monitor = monitor(&progress, checkpoints).when_ended(|run, model| recorder.record(run, model));
    let outcome = comparison.run(&monitor)?;
    if let Some(folder) = folder.filter(|_| !outcome.runs.is_empty() && outcome.error.is_none()) {
        for NamedTraining { name, config } in &trainings {
            let of_first_seed =
                |run: &&Run| run.record.training == *name && run.record.seed == config.seed() && !run.stopped;
            let runs: Vec<&Run> = outcome.runs.iter().filter(of_first_seed).collect();
            plots::trained(&images.test, name, &runs, folder)?;
        }
        let divergences = divergence::measure(&comparison, DIVERGENCE_STEPS, &|| progress.interrupted())?;
        plots::divergence(&divergences, folder)?;
    }
    if let Some(path) = &options.junit {
        junit::outcome(&outcome, path)?;
    }
    if options.common.json {
        let records: Vec<&RunRecord> = outcome.runs.iter().map(|run| &run.record).collect();
        print_json(document(&context, &records, Some(&outcome)))?;
    } else {
        print(terminal::outcome(&context, &outcome, options.verbose)?)?;
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
    context: &'a RunContext<'a>,
    folder: Option<&'a Path>,
    journal: Option<Mutex<Journal>>,
    /// What is written down already.
    begun: Vec<Record>,
}

impl Recorder<'_> {
    /// The file of trained parameters, which are kept of each training's first seed: the others can be trained again from it.
    fn parameters_path(&self, folder: &Path, run: &RunRecord) -> Option<PathBuf> {
        let training = self
            .context
            .trainings
            .iter()
            .find(|training| training.name == run.training && training.config.seed() == run.seed)?;
        Some(folder.join(format!("{}.{}.safetensors", training.name, run.identity).replace('/', "-")))
    }
    /// Writes down a run that ended, and the parameters of a complete one.
    fn record(&self, run: &Run, model: &dyn Differentiable) -> mlp_parity_compare::Result<()> {
        let (Some(folder), Some(journal)) = (self.folder, &self.journal) else { return Ok(()) };
        let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = self.parameters_path(folder, &run.record).filter(|_| !run.stopped) {
            let activation = Some(self.context.config.activation());
            ParameterFile { parameters: model.parameters()?, activation }.save(&path)?;
        }
        let is_known = |record: &Record| self.begun.iter().any(|known| known.content == record.content);
        let record = self.context.record(&run.record).filter(|record| !is_known(record));
        record.map_or(Ok(()), |record| journal.append(&record))
    }
}

//! The program without a command: the full comparison. Runs the check suite, trains every candidate, compares the
//! trained networks, and writes records, checkpoints and plots.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mlp_parity::{Differentiable, ParameterFile, SafetensorsFile};
use mlp_parity_compare::record::{Environment, Journal, RECORDS, Record, RecordFile, RunContext, RunRecord};
use mlp_parity_compare::training::divergence::{self, Divergence};
use mlp_parity_compare::training::{CheckpointStore, document};
use mlp_parity_compare::{Comparison, Outcome, Run, Verdict};

use crate::args::AgreeOptions;
use crate::args::values::{ADAM, SGD};
use crate::error::{Error, Result, outcome_exit_code};
use crate::implementation::candidates;
use crate::memory::MemoryCost;
use crate::output::export::junit;
use crate::output::html::{self, Provenance, Trained};
use crate::output::print::{CONTINUE, eprint_error, eprint_line, print_json, warn_incomplete_line};
use crate::output::progress::{Progress, monitor};
use crate::output::terminal::{self, Detail, Page};
use crate::output::{folder, plots};

/// Number of control replicas: copies of the first candidate whose initial parameters are perturbed by rounding-sized
/// noise, to measure how far trained networks differ by chance.
const CONTROL_REPLICAS: usize = 2;

/// Number of training steps over which the divergence (the distance between the candidates' parameters) is measured.
const DIVERGENCE_STEPS: usize = 1000;

/// Runs the full comparison and returns the exit code.
pub(crate) fn run(options: &AgreeOptions) -> Result<u8> {
    let trainings = options.training.trainings(&[SGD, ADAM])?;
    let margin = options.margin()?;
    let seeds = options.seeds.seeds(options.max_seeds)?;
    let threads = options.common.use_threads()?;
    let progress = Progress::new(options.common.quiet);
    let candidates = progress.observe_checks(candidates(&options.framework)?);
    // Outputs that cannot be written are reported before anything is trained.
    let folder = options.output.as_deref();
    let (journal, existing) = folder.map(|folder| options.open_journal(folder)).transpose()?.unzip();
    folder::check_output_files(&[options.junit.as_deref(), options.html.as_deref()], None)?;
    let images = options.data.load()?;
    let config = options.network.config(&images.train)?;
    let batch_size = options.training.batch_size.min(images.train.len());
    MemoryCost::CHECK.ensure(&config, batch_size, 1)?;
    let environment = Environment::current(threads);
    let context =
        RunContext { config: &config, trainings: &trainings, dataset: &images.record, environment: &environment };
    let comparison = Comparison {
        candidates: &candidates,
        config: &config,
        trainings: &trainings,
        seeds,
        margin,
        replicas: CONTROL_REPLICAS,
        train: &images.train,
        test: &images.test,
        threads,
    };
    let dataset = &images.record;
    let (config, resume, allow_mixed) = (&config, options.resume, options.allow_mixed);
    let checkpoints = folder.map(|folder| CheckpointStore { folder, resume, allow_mixed, config, dataset });
    let (journal, existing) = (journal.map(Mutex::new), existing.unwrap_or_default());
    let recorder = Recorder { context: &context, folder, journal, existing };
    let monitor = monitor(&progress, checkpoints).on_run_end(|run, model| recorder.record(run, model));
    let outcome = comparison.run(&monitor)?;
    // The results are worth printing even if they cannot be written.
    let written = options.write_results(&comparison, &context, &outcome, &progress);
    if options.common.json {
        let records: Vec<&RunRecord> = outcome.runs.iter().map(|run| &run.record).collect();
        print_json(document(&context, &records, Some(&outcome)))?;
    } else {
        let detail = Detail::new(options.verbose, options.common.quiet);
        let mut page = Page::new();
        terminal::devices(&mut page, &candidates, detail);
        terminal::outcome(&mut page, &context, &outcome, detail)?;
        page.print()?;
    }
    if let Some(error) = &outcome.error {
        eprint_error(error);
    }
    if outcome.verdict == Verdict::Interrupted && folder.is_some() {
        eprint_line(CONTINUE);
    }
    written.map(|()| outcome_exit_code(&outcome))
}

/// Writes the plots of the runs with the first seed, and of the divergence of their networks.
fn write_plots(
    comparison: &Comparison<'_>,
    outcome: &Outcome,
    divergences: &[Divergence],
    folder: &Path,
) -> Result<()> {
    for training in comparison.trainings {
        plots::write_trained(comparison.test, &training.name, &outcome.runs_with_first_seed(training), folder)?;
    }
    plots::write_divergence(divergences, folder)
}

impl AgreeOptions {
    /// Writes the plots, the JUnit file and the page of a comparison. If one of them cannot be written, the others are written
    /// nevertheless.
    ///
    /// # Errors
    ///
    /// The first error.
    fn write_results(
        &self,
        comparison: &Comparison<'_>,
        context: &RunContext<'_>,
        outcome: &Outcome,
        progress: &Progress,
    ) -> Result<()> {
        let is_trained = !outcome.runs.is_empty() && outcome.error.is_none();
        let is_measured = is_trained && (self.output.is_some() || self.html.is_some());
        let measure = || divergence::measure(comparison, DIVERGENCE_STEPS, &|| progress.interrupted());
        let measured = is_measured.then(measure).transpose();
        let divergences = measured.as_ref().ok().and_then(Option::as_deref).unwrap_or_default();
        let folder = self.output.as_deref().filter(|_| is_trained);
        let plotted = folder.map_or(Ok(()), |folder| write_plots(comparison, outcome, divergences, folder));
        let reported = self.junit.as_deref().map_or(Ok(()), |path| junit::write_outcome(outcome, path));
        let page = self.html.as_deref().map_or(Ok(()), |path| {
            let mut provenance = Provenance::new(context.environment, comparison.candidates);
            provenance.add_comparison(context);
            let trained = Trained { outcome, test: comparison.test, divergences };
            html::write_outcome(path, context, &trained, &provenance)
        });
        measured?;
        plotted.and(reported).and(page)
    }

    /// Prepares the output folder, opens its record file for appending, and returns it with its records. Warns if its
    /// last line is incomplete.
    ///
    /// # Errors
    ///
    /// If the folder cannot be used, the records cannot be read, or there are any and `--resume` is not given.
    fn open_journal(&self, folder: &Path) -> Result<(Journal, Vec<Record>)> {
        folder::prepare(folder)?;
        let path = folder.join(RECORDS);
        let (journal, RecordFile { records, is_incomplete, .. }) = Journal::open(&path)?;
        if is_incomplete {
            warn_incomplete_line(&path);
        }
        match records.len() {
            count if count > 0 && !self.resume => Err(Error::needs_resume(folder, count)),
            _ => Ok((journal, records)),
        }
    }

    /// Returns the equivalence margin, which `--margin` gives in percentage points, as a fraction of the test images.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if it is not more than 0 and at most 100 percentage points.
    fn margin(&self) -> Result<f64> {
        if self.margin > 0.0 && self.margin <= 100.0 {
            return Ok(self.margin / 100.0);
        }
        Err(Error::Usage(format!(
            "--margin: {} is out of range; expected more than 0 and at most 100 percentage points",
            self.margin
        )))
    }
}

/// Writes the record and the parameters of each run to the output folder as soon as the run ends.
struct Recorder<'a> {
    context: &'a RunContext<'a>,
    folder: Option<&'a Path>,
    journal: Option<Mutex<Journal>>,
    /// Records that the folder already contained when the program started; they are not written again.
    existing: Vec<Record>,
}

impl Recorder<'_> {
    /// Returns the path for the trained parameters of a run, or `None` if its seed is not the first one. Parameters of
    /// other seeds are not saved, because training again gives exactly the same parameters.
    fn parameters_path(&self, folder: &Path, run: &RunRecord) -> Option<PathBuf> {
        let training = self
            .context
            .trainings
            .iter()
            .find(|training| training.name == run.training && training.config.seed() == run.seed)?;
        Some(folder.join(format!("{}.{}.safetensors", training.name, run.identity).replace('/', "-")))
    }

    /// Writes the record of a run that has ended and, if the run is complete, its parameters.
    fn record(&self, run: &Run, model: &dyn Differentiable) -> mlp_parity_compare::Result<()> {
        let (Some(folder), Some(journal)) = (self.folder, &self.journal) else { return Ok(()) };
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = self.parameters_path(folder, &run.record).filter(|_| !run.stopped) {
            let activation = Some(self.context.config.activation());
            ParameterFile { parameters: model.parameters()?, activation }.save(&path)?;
        }
        let is_known = |record: &Record| self.existing.iter().any(|known| known.content == record.content);
        let record = self.context.record(&run.record).filter(|record| !is_known(record));
        record.map_or(Ok(()), |record| journal.append(&record))
    }
}

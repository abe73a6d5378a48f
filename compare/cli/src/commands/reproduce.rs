//! `compare reproduce`: trains every row of a report's tables and writes records, pages, tables and figures.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use mlp_parity::list_names;
use mlp_parity::storage::{ensure_writable_folder, read_text, write_atomically};
use mlp_parity_compare::Verdict;
use mlp_parity_compare::record::{
    Environment, Journal, RECORD_FORMAT, RECORDS, Record, RecordContent, RecordFile, ShardRecord,
};
use mlp_parity_compare::reproduction::{
    GRID_FILE, Grid, Job, JobKind, JobMonitor, Reproduction, Results, Selection, check_consistency, check_origin,
    divisible_parts, jobs, jobs_of_shard, missing_jobs, needed_jobs,
};
use mlp_parity_compare::statistics::{Seeds, SequentialPlan};

use super::report::{check_overwrites_nothing, print_results, read_grid, read_records};
use crate::args::ReproduceOptions;
use crate::args::values::Images;
use crate::error::{Error, Result, verdict_exit_code};
use crate::implementation::candidates;
use crate::memory::MemoryCost;
use crate::output::escape;
use crate::output::print::{CONTINUE, eprint_line, print};
use crate::output::progress::GridProgress;
use crate::output::publication;

/// Runs `compare reproduce` and returns the exit code.
pub(crate) fn run(options: &ReproduceOptions) -> Result<u8> {
    let grid = options.read_grid()?;
    let seeds = options.seeds.seeds(options.max_seeds)?;
    let selection = options.selection(&grid, seeds)?;
    let threads = options.common.use_threads()?;
    let candidates = candidates(&options.framework)?;
    let images = options.data.load()?;
    let all_jobs = jobs(&grid, &selection, &candidates, &images.train)?;
    let selected = options.shard_jobs(all_jobs, &grid, seeds)?;
    selected.iter().try_for_each(ensure_memory)?;

    let folder = options.output.as_path();
    options.check_folder(&grid, folder)?;
    ensure_writable_folder(folder)?;
    // Opening the journal locks the folder, so no other process adds records to those that it contains.
    let (journal, RecordFile { records: existing, .. }) = Journal::open(&folder.join(RECORDS))?;
    let environment = Environment::current(threads);
    if !options.allow_mixed {
        check_origin(&existing, &images.record, &environment)?;
    }
    check_plan(&existing, seeds)?;
    write_atomically(&folder.join(GRID_FILE), grid.text.as_bytes())?;
    let reproduction = Reproduction { candidates: &candidates, train: &images.train, test: &images.test, threads };
    let rounds = Rounds { options, grid: &grid, seeds, reproduction, images: &images, environment: &environment };
    rounds.check_shard(&selected, &existing)?;
    let completed = rounds.run(&selected, existing, &Mutex::new(journal));
    if !matches!(completed, Ok((true, _))) {
        eprint_line(CONTINUE);
    }
    let (is_complete, jobs) = match &completed {
        Ok((is_complete, jobs)) => (*is_complete, *jobs),
        Err(_) => (false, selected.len()),
    };
    let published = options.publish(&grid, jobs, is_complete);
    // The results so far are worth writing even if a run failed, whose error is then the one to report.
    let code = if completed?.0 { 0 } else { verdict_exit_code(Verdict::Interrupted) };
    published.map(|()| code)
}

/// A reproduction whose jobs are executed in rounds: a single one if the number of seeds is fixed, and otherwise one for each
/// group of seeds that is added.
struct Rounds<'a> {
    options: &'a ReproduceOptions,
    grid: &'a Grid,
    seeds: Seeds,
    reproduction: Reproduction<'a>,
    images: &'a Images,
    environment: &'a Environment,
}

impl Rounds<'_> {
    /// Returns the shard with its number of jobs; `None` if all jobs are executed.
    fn shard(&self, jobs: usize) -> Option<ShardRecord> {
        self.options.shard.map(|shard| ShardRecord { shard, jobs })
    }

    /// Checks that the records are of the shard with the jobs `all`. Its number of jobs grows while seeds are added.
    ///
    /// # Errors
    ///
    /// An error about records that are of another shard, or of none.
    fn check_shard(&self, all: &[Job], records: &[Record]) -> Result<()> {
        let Some(shard) = self.shard(all.len()) else { return Ok(()) };
        let grows = self.seeds.plan().is_some();
        // Records of a fixed number of seeds were divided among the shards in another way.
        let is_among = |record: &Record| all.iter().any(|job| job.matches(record));
        let is_same = |record: &Record| {
            let same_shard = |other: ShardRecord| other == shard || grows && other.shard == shard.shard;
            record.shard.is_some_and(same_shard) && is_among(record)
        };
        if records.iter().all(is_same) {
            return Ok(());
        }
        let folder = self.options.output.display();
        Err(Error::records(format!("{folder} contains records of another shard; choose another folder")))
    }

    /// Executes the jobs that are needed and have no record, and appends their records to the journal, until none is left.
    /// Returns true if all are done, false if they were interrupted, and the number of jobs that were needed.
    fn run(&self, all: &[Job], existing: Vec<Record>, journal: &Mutex<Journal>) -> Result<(bool, usize)> {
        let mut records = existing;
        loop {
            let needed = needed_jobs(all, self.grid, &records, self.seeds);
            let shard = self.shard(needed.len());
            let remaining = missing_jobs(&needed, &records);
            if remaining.is_empty() {
                return Ok((true, needed.len()));
            }
            if !self.run_round(&remaining, shard, journal)? {
                return Ok((false, needed.len()));
            }
            records = read_records(&self.options.output)?;
        }
    }

    /// Executes jobs, and appends their records to the journal. Returns true if all are done.
    fn run_round(&self, jobs: &[Job], shard: Option<ShardRecord>, journal: &Mutex<Journal>) -> Result<bool> {
        let progress = GridProgress::new(jobs, self.reproduction.threads, self.options.common.quiet);
        let job_finished = |index: usize, job: &Job, content| {
            let record = self.record(job, content, shard);
            journal.lock().unwrap_or_else(PoisonError::into_inner).append(&record)?;
            progress.job_finished(index, job, &record.content);
            Ok(())
        };
        let monitor = JobMonitor {
            job_started: &|index, job| progress.job_started(index, job),
            job_finished: &job_finished,
            interrupted: &|| progress.interrupted(),
        };
        let completed = self.reproduction.run(jobs, monitor);
        progress.finish();
        Ok(completed?)
    }

    /// Creates the record of a finished job.
    fn record(&self, job: &Job, content: RecordContent, shard: Option<ShardRecord>) -> Record {
        Record {
            format: RECORD_FORMAT.to_owned(),
            config: job.config.clone(),
            deviation: job.deviation.clone(),
            content,
            dataset: self.images.record.clone(),
            environment: self.environment.clone(),
            shard,
            max_seeds: self.seeds.plan(),
        }
    }
}

/// Checks that records to which seeds were added by a plan are not continued by another one.
///
/// # Errors
///
/// An error about records with both largest numbers of seeds.
fn check_plan(records: &[Record], seeds: Seeds) -> Result<()> {
    let plans = [records.iter().find_map(|record| record.max_seeds), seeds.plan()];
    match plans.map(|plan| plan.map(SequentialPlan::max_seeds)) {
        [Some(before), Some(now)] if before != now => Err(Error::records(format!(
            "the folder was begun with --max-seeds {before}, and its error rates do not hold for {now}; use {before}, or \
             choose another folder"
        ))),
        _ => Ok(()),
    }
}

/// Checks that there is enough memory for the network of a job, whose layers the grid can make arbitrarily wide.
fn ensure_memory(job: &Job) -> Result<()> {
    match &job.kind {
        JobKind::Run(training) => {
            MemoryCost::TRAIN.ensure(&job.config, training.config.batch_size().min(job.images), 1)
        }
        // The batches of checks are small.
        JobKind::Check { .. } => MemoryCost::CHECK.ensure(&job.config, 1, 1),
    }
}

impl ReproduceOptions {
    /// Reads the grid (the description of the report to reproduce) from the file of `--grid`, or returns the built-in
    /// one.
    fn read_grid(&self) -> Result<Grid> {
        match &self.grid {
            None => Ok(Grid::report()?),
            Some(path) => Ok(Grid::from_toml(&read_text(path)?, &path.display().to_string())?),
        }
    }

    /// Returns the tables, figures and seeds that `--only` and `--seeds` select.
    fn selection(&self, grid: &Grid, seeds: Seeds) -> Result<Selection> {
        let figures = grid.tables.iter().filter_map(|table| table.figure.as_ref()).map(|figure| &figure.name);
        let known: Vec<&String> = grid.tables.iter().map(|table| &table.name).chain(figures).collect();
        if let Some(name) = self.only.iter().find(|name| !known.contains(name)) {
            let known = list_names(known.into_iter().map(String::as_str));
            return Err(Error::Usage(format!("--only: unknown table or figure '{name}'; expected one of: {known}")));
        }
        Ok(Selection { only: self.only.clone(), seeds: seeds.most() as u64 })
    }

    /// Checks that the reproduction can be written to, or continued in, the output folder.
    ///
    /// # Errors
    ///
    /// If the folder contains the reproduction of another grid, records without a grid, or other files that would be
    /// overwritten; or if it contains records of this reproduction and `--resume` is not given.
    fn check_folder(&self, grid: &Grid, folder: &Path) -> Result<()> {
        let records = read_records(folder)?;
        let existing_grid = read_grid(folder)?;
        let folder_name = folder.display();
        match existing_grid {
            Some(other) if other.text != grid.text => Err(Error::records(format!(
                "{folder_name} contains the reproduction of another grid; choose another folder, or use its --grid"
            ))),
            None if !records.is_empty() => Err(Error::records(format!(
                "{folder_name} contains records that do not belong to a reproduction; choose another folder"
            ))),
            None => check_overwrites_nothing(folder),
            _ if !records.is_empty() && !self.resume => Err(Error::needs_resume(folder, records.len())),
            _ => Ok(()),
        }
    }

    /// Writes the pages, tables and figures of all records in the output folder, and prints the results of a complete
    /// reproduction. For a shard, prints how many records of its `jobs` there are.
    fn publish(&self, grid: &Grid, jobs: usize, is_complete: bool) -> Result<()> {
        let folder = self.output.as_path();
        let records = read_records(folder)?;
        check_consistency(&records, self.allow_mixed)?;
        if let Some(shard) = self.shard {
            let folder = folder.display().to_string();
            return print(format!(
                "shard {shard}: {} of {jobs} records are in {}",
                records.len(),
                escape::line(&folder)
            ));
        }
        if records.is_empty() {
            return Ok(());
        }
        let results = Results::new(grid, &records);
        publication::write(&results, folder)?;
        if is_complete { print_results(&results, folder, &self.only, self.common.json) } else { Ok(()) }
    }

    /// Returns the jobs of the shard that `--shard` selects, or all jobs.
    fn shard_jobs(&self, all: Vec<Job>, grid: &Grid, seeds: Seeds) -> Result<Vec<Job>> {
        let Some(shard) = self.shard else { return Ok(all) };
        let parts = divisible_parts(&all, grid, seeds);
        if shard.count > parts.len() {
            let what = if seeds.plan().is_some() { "checks and training configurations" } else { "jobs" };
            return Err(Error::Usage(format!(
                "--shard: {} {what} cannot be split into {} shards",
                parts.len(),
                shard.count
            )));
        }
        Ok(jobs_of_shard(&parts, shard))
    }
}

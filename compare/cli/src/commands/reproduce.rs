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
    GRID_FILE, Grid, Job, JobKind, JobMonitor, Reproduction, Results, Selection, check_consistency, check_origin, jobs,
    jobs_of_shard, missing_jobs,
};

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
    let selection = options.selection(&grid)?;
    let threads = options.common.use_threads()?;
    let candidates = candidates(&options.framework)?;
    let images = options.data.load()?;
    let all_jobs = jobs(&grid, &selection, &candidates, &images.train)?;
    let (selected, shard) = options.shard_jobs(&all_jobs)?;
    selected.iter().try_for_each(ensure_memory)?;

    let folder = options.output.as_path();
    options.check_folder(&grid, folder)?;
    ensure_writable_folder(folder)?;
    // Opening the journal locks the folder, so no other process adds records to those that it contains.
    let (journal, RecordFile { records: existing, .. }) = Journal::open(&folder.join(RECORDS))?;
    let environment = Environment::current(threads);
    let template = RecordTemplate { environment: &environment, images: &images, shard };
    if !options.allow_mixed {
        check_origin(&existing, &images.record, &environment)?;
    }
    if shard.is_some() && existing.iter().any(|record| record.shard != shard) {
        let folder = folder.display();
        return Err(Error::records(format!("{folder} contains records of another shard; choose another folder")));
    }
    let remaining = missing_jobs(&selected, &existing);
    write_atomically(&folder.join(GRID_FILE), grid.text.as_bytes())?;
    let journal = Mutex::new(journal);
    let progress = GridProgress::new(&remaining, threads, options.common.quiet);
    let reproduction = Reproduction { candidates: &candidates, train: &images.train, test: &images.test, threads };
    let job_finished = |index: usize, job: &Job, content| {
        let record = template.record(job, content);
        journal.lock().unwrap_or_else(PoisonError::into_inner).append(&record)?;
        progress.job_finished(index, job, &record.content);
        Ok(())
    };
    let monitor = JobMonitor {
        job_started: &|index, job| progress.job_started(index, job),
        job_finished: &job_finished,
        interrupted: &|| progress.interrupted(),
    };
    let completed = reproduction.run(&remaining, monitor);
    progress.finish();
    if !matches!(completed, Ok(true)) {
        eprint_line(CONTINUE);
    }

    let published = options.publish(&grid, shard, matches!(completed, Ok(true)));
    // The results so far are worth writing even if a run failed, whose error is then the one to report.
    let code = if completed? { 0 } else { verdict_exit_code(Verdict::Interrupted) };
    published.map(|()| code)
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
    fn selection(&self, grid: &Grid) -> Result<Selection> {
        let figures = grid.tables.iter().filter_map(|table| table.figure.as_ref()).map(|figure| &figure.name);
        let known: Vec<&String> = grid.tables.iter().map(|table| &table.name).chain(figures).collect();
        if let Some(name) = self.only.iter().find(|name| !known.contains(name)) {
            let known = list_names(known.into_iter().map(String::as_str));
            return Err(Error::Usage(format!("--only: unknown table or figure '{name}'; expected one of: {known}")));
        }
        Ok(Selection { only: self.only.clone(), seeds: u64::from(self.seeds) })
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
    /// reproduction. For a shard, prints how many of its records there are.
    fn publish(&self, grid: &Grid, shard: Option<ShardRecord>, is_complete: bool) -> Result<()> {
        let folder = self.output.as_path();
        let records = read_records(folder)?;
        check_consistency(&records, self.allow_mixed)?;
        if let Some(ShardRecord { shard, jobs }) = shard {
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
    fn shard_jobs(&self, all: &[Job]) -> Result<(Vec<Job>, Option<ShardRecord>)> {
        let Some(shard) = self.shard else { return Ok((all.to_vec(), None)) };
        if shard.count > all.len() {
            return Err(Error::Usage(format!(
                "--shard: {} jobs cannot be split into {} shards",
                all.len(),
                shard.count
            )));
        }
        let selected = jobs_of_shard(all, shard);
        let record = ShardRecord { shard, jobs: selected.len() };
        Ok((selected, Some(record)))
    }
}

/// The fields that are the same in all records written by this process.
struct RecordTemplate<'a> {
    environment: &'a Environment,
    images: &'a Images,
    shard: Option<ShardRecord>,
}

impl RecordTemplate<'_> {
    /// Creates the record of a finished job.
    fn record(&self, job: &Job, content: RecordContent) -> Record {
        Record {
            format: RECORD_FORMAT.to_owned(),
            config: job.config.clone(),
            deviation: job.deviation.clone(),
            content,
            dataset: self.images.record.clone(),
            environment: self.environment.clone(),
            shard: self.shard,
        }
    }
}

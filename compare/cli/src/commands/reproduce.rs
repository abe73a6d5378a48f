//! A report, measured again.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use mlp_parity::storage::{ensure_writable_folder, write_atomically};
use mlp_parity_compare::Verdict;
use mlp_parity_compare::record::{Environment, Journal, RECORD_FORMAT, RECORDS, Record, RecordContent, ShardRecord};
use mlp_parity_compare::reproduction::{
    GRID_FILE, Grid, Job, JobMonitor, Reproduction, Results, Selection, check_consistency, check_origin, jobs, missing,
    of_shard,
};

use super::report::{check_is_free, conclude, grid_of, records_of};
use crate::args::ReproduceOptions;
use crate::args::values::Images;
use crate::error::{Error, Result, verdict_exit_code};
use crate::implementation::candidates;
use crate::output::print::{print, tell};
use crate::output::progress::GridProgress;
use crate::output::publication;

pub(crate) fn run(options: &ReproduceOptions) -> Result<u8> {
    let grid = options.read_grid()?;
    let selection = options.selection(&grid)?;
    let threads = options.common.use_threads()?;
    let candidates = candidates(&options.framework)?;
    let images = options.data.load()?;
    let all = jobs(&grid, &selection, &candidates, &images.train)?;
    let (own, shard) = options.share(&all)?;

    let folder = options.output.as_path();
    let before = options.begun(&grid, folder)?;
    ensure_writable_folder(folder)?;
    let environment = Environment::here(threads);
    let lines = Lines { environment: &environment, images: &images, shard };
    if !options.allow_mixed {
        check_origin(&before, &images.record, &environment)?;
    }
    if shard.is_some() && before.iter().any(|record| record.shard != shard) {
        let place = folder.display();
        return Err(Error::records(format!("{place} holds records of another share; choose another folder")));
    }
    let left = missing(&own, &before);
    write_atomically(&folder.join(GRID_FILE), grid.text.as_bytes())?;
    // That a line was torn was said when it was read.
    let (journal, _) = Journal::open(&folder.join(RECORDS))?;
    let journal = Mutex::new(journal);
    let progress = GridProgress::new(&left, threads, options.common.quiet);
    let reproduction = Reproduction { candidates: &candidates, train: &images.train, test: &images.test, threads };
    let job_ended = |index: usize, job: &Job, content| {
        let record = lines.record(job, content);
        journal.lock().unwrap_or_else(PoisonError::into_inner).append(&record)?;
        progress.job_ended(index, job, &record.content);
        Ok(())
    };
    let monitor = JobMonitor {
        job_begins: &|index, job| progress.job_begins(index, job),
        job_ended: &job_ended,
        interrupted: &|| progress.interrupted(),
    };
    let done = reproduction.run(&left, monitor);
    progress.finish();
    if !matches!(done, Ok(true)) {
        tell("not everything is done; --resume with the same options goes on");
    }

    let records = records_of(folder)?;
    check_consistency(&records, options.allow_mixed)?;
    if let Some(ShardRecord { shard, jobs }) = shard {
        print(format!("share {shard}: {} of {jobs} records are in {}", records.len(), folder.display()))?;
    } else if !records.is_empty() {
        let results = Results::new(&grid, &records);
        publication::write(&results, folder)?;
        if matches!(done, Ok(true)) {
            conclude(&results, folder, options.common.json)?;
        }
    }
    Ok(if done? { 0 } else { verdict_exit_code(Verdict::Interrupted) })
}

impl ReproduceOptions {
    fn read_grid(&self) -> Result<Grid> {
        match &self.grid {
            None => Ok(Grid::report()?),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(mlp_parity::Error::io("read", path))?;
                Ok(Grid::from_toml(&text, &path.display().to_string())?)
            }
        }
    }

    fn selection(&self, grid: &Grid) -> Result<Selection> {
        let figures = grid.tables.iter().filter_map(|table| table.figure.as_ref()).map(|figure| &figure.name);
        let known: Vec<&String> = grid.tables.iter().map(|table| &table.name).chain(figures).collect();
        if let Some(name) = self.only.iter().find(|name| !known.contains(name)) {
            let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
            return Err(Error::Usage(format!("--only: there is no '{name}'; there are {}", known.join(", "))));
        }
        Ok(Selection { only: self.only.clone(), seeds: u64::from(self.seeds) })
    }

    /// The records that are there already.
    fn begun(&self, grid: &Grid, folder: &Path) -> Result<Vec<Record>> {
        let place = folder.display();
        let records = records_of(folder)?;
        match grid_of(folder)? {
            Some(other) if other.text != grid.text => Err(Error::records(format!(
                "{place} holds another grid, begun with another --grid; choose another folder"
            ))),
            None if !records.is_empty() => {
                Err(Error::records(format!("{place} holds other records; choose another folder")))
            }
            None => check_is_free(folder).map(|()| records),
            _ if !records.is_empty() && !self.resume => Err(Error::Usage(format!(
                "{place} holds {} records; --resume goes on with them, or choose another folder",
                records.len()
            ))),
            _ => Ok(records),
        }
    }

    /// The jobs of the share that was asked for.
    fn share(&self, all: &[Job]) -> Result<(Vec<Job>, Option<ShardRecord>)> {
        let Some(shard) = self.shard else { return Ok((all.to_vec(), None)) };
        if shard.count > all.len() {
            return Err(Error::Usage(format!("--shard: {} jobs make no {} shares", all.len(), shard.count)));
        }
        let own = of_shard(all, shard);
        let record = ShardRecord { shard, jobs: own.len() };
        Ok((own, Some(record)))
    }
}

/// What all lines of this program have in common.
struct Lines<'a> {
    environment: &'a Environment,
    images: &'a Images,
    shard: Option<ShardRecord>,
}

impl Lines<'_> {
    fn record(&self, job: &Job, content: RecordContent) -> Record {
        Record {
            format: RECORD_FORMAT.to_owned(),
            config: job.config.clone(),
            content,
            dataset: self.images.record.clone(),
            environment: self.environment.clone(),
            shard: self.shard,
        }
    }
}

//! Rounds of a reproduction whose number of seeds is not fixed: seeds are added to the trainings of pairs that are not decided.

use std::collections::BTreeMap;

use super::job::{Job, JobKind};
use crate::record::Record;
use crate::reproduction::grid::Grid;
use crate::reproduction::results::{Results, RowResult};
use crate::statistics::Seeds;

/// Returns those of the jobs `all`, which must contain the largest number of seeds, that are needed as far as the records show.
/// If the number of seeds is fixed, these are all; otherwise those up to the next [look](crate::statistics::SequentialPlan) of
/// every pair that is not decided, among them the rows of the report's claim. A training without a pair, such as that of an
/// explanation, gets the seeds of the first look.
///
/// Jobs that are done are among them: [`missing_jobs`](super::missing_jobs) removes them.
pub fn needed_jobs(all: &[Job], grid: &Grid, records: &[Record], seeds: Seeds) -> Vec<Job> {
    let Some(plan) = seeds.plan() else { return all.to_vec() };
    let results = Results::with_plan(grid, records, Some(plan));
    let mut needed: BTreeMap<String, usize> = BTreeMap::new();
    let mut need = |row: &RowResult<'_>, seeds: usize| {
        let of_training = needed.entry(row.row.hyperparameters.name()).or_default();
        *of_training = seeds.max(*of_training);
    };
    for row in results.tables.iter().flat_map(|table| &table.rows) {
        row.equivalences.iter().for_each(|equivalence| need(row, equivalence.next_look()));
    }
    if let Some((rows, equivalence)) = results.claim_rows() {
        rows.iter().for_each(|row| need(row, equivalence.next_look()));
    }
    let is_needed = |job: &&Job| match &job.kind {
        JobKind::Check { .. } => true,
        JobKind::Run(training) => {
            let needed = needed.get(&training.name).copied().unwrap_or_default().max(seeds.fewest());
            training.config.seed() < needed as u64
        }
    };
    all.iter().filter(is_needed).cloned().collect()
}

//! The results of a reproduction, computed from its grid and its records alone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::assessment::{RowAssessment, RowVerdict};
use super::grid::{Grid, Row, RowName, Table};
use super::hyperparameters::Hyperparameters;
use crate::Identity;
use crate::record::{CheckRecord, DatasetRecord, Environment, Record, RecordContent, RunRecord};
use crate::statistics::{MARGIN, SequentialPlan};
use crate::training::{Equivalence, Score, TrainedPair};

/// The results of a reproduction: the report's tables beside the measurements.
#[derive(Clone, Debug, PartialEq)]
pub struct Results<'a> {
    /// The report's tables.
    pub grid: &'a Grid,
    /// The tables with their measurements; tables without runs are left out.
    pub tables: Vec<TableResult<'a>>,
    /// The plan by which seeds were added; `None` if their number was fixed.
    pub plan: Option<SequentialPlan>,
    /// All complete runs, sorted by training configuration, candidate and seed.
    pub runs: Vec<(&'a Record, &'a RunRecord)>,
    /// All results of the check suite, sorted by name and candidate.
    pub checks: Vec<&'a CheckRecord>,
    /// Names of the candidates that have runs; implementations without a backend come first.
    pub candidates: Vec<String>,
    /// The programs, machines and data behind the records.
    pub provenance: Vec<Provenance<'a>>,
}

/// A group of records from the same program, environment and data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Provenance<'a> {
    /// The program's version, and the system that it ran on.
    #[serde(flatten)]
    pub environment: &'a Environment,
    /// The data set.
    pub dataset: &'a DatasetRecord,
    /// The candidates that were measured in this environment.
    pub candidates: Vec<&'a Identity>,
    /// Number of records from this environment.
    pub records: usize,
}

/// A table of the report with its measurements.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableResult<'a> {
    /// The table as the report states it.
    #[serde(flatten)]
    pub table: &'a Table,
    /// The rows for which at least one training run was recorded.
    pub rows: Vec<RowResult<'a>>,
}

/// A row of the report with its measurements.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowResult<'a> {
    /// The row as the report states it.
    #[serde(skip)]
    pub row: &'a Row,
    /// The name of the row, which is its value of the hyper-parameter that varies in the table.
    pub name: &'a str,
    /// The verdict, given by the runs of the implementation that the report used; inconclusive without such runs.
    pub verdict: RowVerdict,
    /// The assessment of each candidate's runs; that of the report's implementation comes first.
    pub measured: Vec<RowAssessment>,
    /// The assessment of each candidate's runs of the row's [explanation](Row::explained_by).
    pub explanation: Vec<RowAssessment>,
    /// Equivalence tests of the accuracies: each other candidate against the first, paired by seed.
    pub equivalences: Vec<Equivalence>,
}

impl RowResult<'_> {
    /// Returns the assessment that decides the verdict: the first, which is that of the report's implementation if it
    /// was run.
    pub fn deciding(&self) -> Option<&RowAssessment> {
        self.measured.first()
    }

    /// Returns the name of the row's explanation for display, that of its network; empty without an explanation.
    pub fn explanation_name(&self) -> String {
        self.row.explained_by.as_ref().map_or_else(String::new, |cause| cause.hyperparameters.network_name().to_owned())
    }
}

/// A conclusion from the records, for display.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Headline of a few words, without a final period.
    pub title: String,
    /// Explanation in a few sentences, with the numbers behind it.
    pub text: String,
}

impl<'a> Results<'a> {
    /// Computes the results. The order of the records does not matter. If seeds were added until a pair was decided, the
    /// records state the plan.
    pub fn new(grid: &'a Grid, records: &'a [Record]) -> Self {
        Self::with_plan(grid, records, records.iter().find_map(|record| record.max_seeds))
    }

    /// Computes the results of records to which seeds are added by this plan, or of records with a fixed number of seeds.
    pub fn with_plan(grid: &'a Grid, records: &'a [Record], plan: Option<SequentialPlan>) -> Self {
        let mut runs: Vec<(&Record, &RunRecord)> = Vec::new();
        let mut checks: Vec<&CheckRecord> = Vec::new();
        for record in records {
            match &record.content {
                RecordContent::Run { run, .. } if run.complete => runs.push((record, run)),
                RecordContent::Run { .. } => {}
                RecordContent::Check { check } => checks.push(check),
            }
        }
        // Of several runs of different lengths, only the longest is kept: sorting puts it first.
        runs.sort_by_key(|(_, run)| (run.training.clone(), order(&run.identity), run.seed, Reverse(run.epochs.len())));
        runs.dedup_by_key(|(_, run)| (run.training.clone(), order(&run.identity), run.seed));
        checks.sort_by_key(|check| (check.name.clone(), order(&check.identity)));
        let all: Vec<&RunRecord> = runs.iter().map(|(_, run)| *run).collect();
        let tables = grid.tables.iter().filter_map(|table| measure_table(table, &all, plan)).collect();
        let candidates: BTreeSet<_> = runs.iter().map(|(_, run)| order(&run.identity)).collect();
        let candidates = candidates.into_iter().map(|(_, name)| name).collect();
        let provenance = provenance(records);
        Self { grid, tables, plan, runs, checks, candidates, provenance }
    }

    /// Returns the row of a table, with the table; `None` if it has no runs.
    pub fn find(&self, table: &str, row: &str) -> Option<(&TableResult<'a>, &RowResult<'a>)> {
        let table = self.tables.iter().find(|result| result.table.name == table)?;
        Some((table, table.rows.iter().find(|result| result.name == row)?))
    }

    /// Compares the two rows of the report's claim; `None` if it makes none, or if one of them has no runs.
    pub(super) fn claim_rows(&self) -> Option<([&RowResult<'a>; 2], Equivalence)> {
        let claim = self.grid.claim.as_ref()?;
        let row = |name: &RowName| self.find(&name.table, &name.row).map(|(_, row)| row);
        let (left, right) = (row(&claim.left)?, row(&claim.right)?);
        let equivalence = equivalence("", left.deciding()?, right.deciding()?, self.plan)?;
        Some(([left, right], equivalence))
    }

    /// Returns the rows of the tables in `only`, or of all tables if it is empty, without repetitions: tables overlap, and of
    /// several rows with the same hyper-parameters and number of epochs only the first is returned.
    pub(super) fn distinct_rows<'b>(
        &'b self,
        only: &'b [String],
    ) -> impl Iterator<Item = (&'b TableResult<'a>, &'b RowResult<'a>)> {
        let tables = self.tables.iter().filter(|result| !result.table.unstated && result.table.is_among(only));
        let mut seen = Vec::new();
        tables.flat_map(|table| table.rows.iter().map(move |row| (table, row))).filter(move |(_, row)| {
            let training = (&row.row.hyperparameters, row.row.epochs);
            let is_new = !seen.contains(&training);
            seen.push(training);
            is_new
        })
    }

    /// Returns the runs of one candidate with one training configuration, by seed.
    pub fn runs_of(&self, training: &str, candidate: &str) -> Vec<&'a RunRecord> {
        let is_wanted = |run: &&RunRecord| run.training == training && run.identity.to_string() == candidate;
        self.runs.iter().map(|(_, run)| *run).filter(is_wanted).collect()
    }

    /// Returns the smallest and the largest number of seeds that any candidate has for any row; `None` without rows.
    pub fn seed_counts(&self) -> Option<[usize; 2]> {
        let rows = || self.tables.iter().flat_map(|table| &table.rows);
        let counts =
            || rows().flat_map(|row| row.measured.iter().chain(&row.explanation)).map(|measured| measured.seeds.len());
        Some([counts().min()?, counts().max()?])
    }
}

/// Returns the sort key of candidates: implementations without a backend come first, the others follow by name.
pub(super) fn order(identity: &Identity) -> (bool, String) {
    (identity.backend.is_some(), identity.to_string())
}

fn measure_table<'a>(
    table: &'a Table,
    runs: &[&'a RunRecord],
    plan: Option<SequentialPlan>,
) -> Option<TableResult<'a>> {
    let rows: Vec<RowResult<'_>> = table.rows.iter().filter_map(|row| measure_row(table, row, runs, plan)).collect();
    (!rows.is_empty()).then_some(TableResult { table, rows })
}

fn measure_row<'a>(
    table: &Table,
    row: &'a Row,
    runs: &[&'a RunRecord],
    plan: Option<SequentialPlan>,
) -> Option<RowResult<'a>> {
    let mut measured = measure(row, &row.hyperparameters, row.epochs, runs);
    let equivalences = equivalences(row, &measured, plan);
    // The sort is stable, so the other candidates keep their order.
    measured.sort_by_key(|measured| measured.implementation != table.by);
    let explanation = row.explained_by.as_ref();
    let explanation =
        explanation.map_or_else(Vec::new, |cause| measure(row, &cause.hyperparameters, cause.epochs, runs));
    let explains = explanation.first().is_some_and(|measured| measured.verdict == RowVerdict::Reproduced);
    let first = measured.first()?;
    let verdict = match first.verdict {
        // There are no runs of the implementation that the report used.
        _ if first.implementation != table.by => RowVerdict::Inconclusive,
        RowVerdict::Differs if explains => RowVerdict::Explained,
        verdict => verdict,
    };
    Some(RowResult { row, name: &row.name, verdict, measured, explanation, equivalences })
}

/// Assesses each candidate's runs with these hyper-parameters; runs with fewer epochs are ignored.
fn measure(row: &Row, hyperparameters: &Hyperparameters, epochs: usize, runs: &[&RunRecord]) -> Vec<RowAssessment> {
    let name = hyperparameters.name();
    let mut by_candidate: BTreeMap<(bool, String), Vec<&RunRecord>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.training == name && run.epochs.len() >= epochs) {
        by_candidate.entry(order(&run.identity)).or_default().push(run);
    }
    by_candidate.values().filter_map(|runs| RowAssessment::new(row, epochs, runs)).collect()
}

/// Tests each candidate for equivalence with the first, over their common seeds.
fn equivalences(row: &Row, measured: &[RowAssessment], plan: Option<SequentialPlan>) -> Vec<Equivalence> {
    let Some((first, others)) = measured.split_first() else { return Vec::new() };
    others.iter().filter_map(|other| equivalence(&row.name, first, other, plan)).collect()
}

/// Tests two candidates for equivalence over their common seeds; `None` if there are none. With a plan, seeds count only up to
/// the first that is missing.
fn equivalence(
    name: &str,
    first: &RowAssessment,
    second: &RowAssessment,
    plan: Option<SequentialPlan>,
) -> Option<Equivalence> {
    let by_seed = |measured: &RowAssessment| -> BTreeMap<u64, Score> {
        measured.seeds.iter().copied().zip(measured.scores.iter().copied()).collect()
    };
    let (first_scores, second_scores) = (by_seed(first), by_seed(second));
    let common = first_scores.iter().filter_map(|(seed, score)| Some((*seed, *score, *second_scores.get(seed)?)));
    let in_order = common.zip(0..).take_while(|((seed, ..), index)| plan.is_none() || seed == index);
    let (first_scores, second_scores): (Vec<Score>, Vec<Score>) =
        in_order.map(|((_, first, second), _)| (first, second)).unzip();
    let pair =
        TrainedPair { training: name.to_owned(), first: first.candidate.clone(), second: second.candidate.clone() };
    (!first_scores.is_empty()).then(|| match plan {
        None => Equivalence::test(pair, &first_scores, &second_scores, MARGIN),
        Some(plan) => Equivalence::sequential(pair, &first_scores, &second_scores, MARGIN, plan),
    })
}

/// Groups the records by environment and data.
fn provenance(records: &[Record]) -> Vec<Provenance<'_>> {
    let mut groups: BTreeMap<_, (BTreeMap<_, &Identity>, usize)> = BTreeMap::new();
    for record in records {
        let identity = match &record.content {
            RecordContent::Run { run, .. } => &run.identity,
            RecordContent::Check { check } => &check.identity,
        };
        let (candidates, count) = groups.entry((&record.environment, &record.dataset)).or_default();
        let machine = (order(identity), &identity.device, &identity.kernels);
        candidates.insert(machine, identity);
        *count += 1;
    }
    let group = |((environment, dataset), (candidates, records)): ((_, _), (BTreeMap<_, _>, usize))| Provenance {
        environment,
        dataset,
        candidates: candidates.into_values().collect(),
        records,
    };
    groups.into_iter().map(group).collect()
}

//! Everything that is said of a report: a function of its grid and of records.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::assessment::{RowAssessment, RowVerdict};
use super::grid::{Grid, Row, Table};
use super::hyperparameters::Hyperparameters;
use crate::Identity;
use crate::record::{CheckRecord, DatasetRecord, Environment, Record, RecordContent, RunRecord};
use crate::statistics::MARGIN;
use crate::training::{Equivalence, Score, TrainedPair};

/// What became of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Results<'a> {
    /// The report.
    pub grid: &'a Grid,
    /// Its tables, without those of which there is no run.
    pub tables: Vec<TableResult<'a>>,
    /// Every run, by the names of its training and candidate, and by seed.
    pub runs: Vec<(&'a Record, &'a RunRecord)>,
    /// Every check.
    pub checks: Vec<&'a CheckRecord>,
    /// Everyone who ran, whoever has no backend first.
    pub candidates: Vec<String>,
    /// Where all this was measured.
    pub provenance: Vec<Provenance<'a>>,
}

/// Machines and programs that are alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Provenance<'a> {
    /// The program.
    #[serde(flatten)]
    pub environment: &'a Environment,
    /// The data.
    pub dataset: &'a DatasetRecord,
    /// Who ran there.
    pub candidates: Vec<&'a Identity>,
    /// How many records come from there.
    pub records: usize,
}

/// A table, measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableResult<'a> {
    /// What the report states.
    #[serde(flatten)]
    pub table: &'a Table,
    /// The rows of which there are runs.
    pub rows: Vec<RowResult<'a>>,
}

/// A row, measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowResult<'a> {
    /// What the report states.
    #[serde(skip)]
    pub row: &'a Row,
    /// Its name.
    pub name: &'a str,
    /// What comes of it. It is that of the implementation that the report ran, where that was run.
    pub verdict: RowVerdict,
    /// Everyone's runs, that of the report's implementation first.
    pub measured: Vec<RowAssessment>,
    /// The same with a cause that might explain the row.
    pub explanation: Vec<RowAssessment>,
    /// The others beside the first candidate, seed by seed.
    pub equivalences: Vec<Equivalence>,
}

impl RowResult<'_> {
    /// What decides: the runs of the report's implementation.
    pub fn decisive(&self) -> Option<&RowAssessment> {
        self.measured.first()
    }

    /// What a cause that might explain the row is called in a table: its activation.
    pub fn explanation_name(&self) -> String {
        self.row.explained_by.as_ref().map_or_else(String::new, |cause| cause.hyperparameters.activation.to_string())
    }
}

impl<'a> Results<'a> {
    /// Of these records, in whatever order they come.
    pub fn new(grid: &'a Grid, records: &'a [Record]) -> Self {
        let mut runs: Vec<(&Record, &RunRecord)> = Vec::new();
        let mut checks: Vec<&CheckRecord> = Vec::new();
        for record in records {
            match &record.content {
                RecordContent::Run { run, .. } if run.complete => runs.push((record, run)),
                RecordContent::Run { .. } => {}
                RecordContent::Check { check } => checks.push(check),
            }
        }
        // Of runs of different lengths the longest stays.
        runs.sort_by_key(|(_, run)| (run.training.clone(), order(&run.identity), run.seed, Reverse(run.epochs.len())));
        runs.dedup_by_key(|(_, run)| (run.training.clone(), order(&run.identity), run.seed));
        checks.sort_by_key(|check| (check.name.clone(), order(&check.identity)));
        let all: Vec<&RunRecord> = runs.iter().map(|(_, run)| *run).collect();
        let tables = grid.tables.iter().filter_map(|table| measure_table(table, &all)).collect();
        let candidates: BTreeSet<_> = runs.iter().map(|(_, run)| order(&run.identity)).collect();
        let candidates = candidates.into_iter().map(|(_, name)| name).collect();
        let provenance = provenance(records);
        Self { grid, tables, runs, checks, candidates, provenance }
    }

    /// The row of a table, measured.
    pub fn find(&self, table: &str, row: &str) -> Option<(&TableResult<'a>, &RowResult<'a>)> {
        let table = self.tables.iter().find(|result| result.table.name == table)?;
        Some((table, table.rows.iter().find(|result| result.name == row)?))
    }

    /// The runs of one training by one candidate.
    pub fn runs_of(&self, training: &str, candidate: &str) -> Vec<&'a RunRecord> {
        let of = |run: &&RunRecord| run.training == training && run.identity.to_string() == candidate;
        self.runs.iter().map(|(_, run)| *run).filter(of).collect()
    }

    /// The fewest and the most seeds that a row has by someone; `None` if there is no row.
    pub fn seeds(&self) -> Option<[usize; 2]> {
        let rows = || self.tables.iter().flat_map(|table| &table.rows);
        let counts = || rows().flat_map(|row| row.measured.iter().chain(&row.explanation)).map(|it| it.seeds.len());
        Some([counts().min()?, counts().max()?])
    }
}

/// Whoever has no backend comes first, then others by name.
pub(super) fn order(identity: &Identity) -> (bool, String) {
    (identity.backend.is_some(), identity.to_string())
}

fn measure_table<'a>(table: &'a Table, runs: &[&'a RunRecord]) -> Option<TableResult<'a>> {
    let rows: Vec<RowResult<'_>> = table.rows.iter().filter_map(|row| measure_row(table, row, runs)).collect();
    (!rows.is_empty()).then_some(TableResult { table, rows })
}

fn measure_row<'a>(table: &Table, row: &'a Row, runs: &[&'a RunRecord]) -> Option<RowResult<'a>> {
    let mut measured = measure(row, &row.hyperparameters, row.epochs, runs);
    let equivalences = equivalences(row, &measured);
    // Stable: the others keep their order.
    measured.sort_by_key(|measured| measured.implementation != table.by);
    let explanation = row.explained_by.as_ref();
    let explanation =
        explanation.map_or_else(Vec::new, |cause| measure(row, &cause.hyperparameters, cause.epochs, runs));
    let explains = explanation.first().is_some_and(|measured| measured.verdict == RowVerdict::Reproduced);
    let first = measured.first()?;
    let verdict = match first.verdict {
        // Whom the report ran has no run yet.
        _ if first.implementation != table.by => RowVerdict::Inconclusive,
        RowVerdict::Differs if explains => RowVerdict::Explained,
        verdict => verdict,
    };
    Some(RowResult { row, name: &row.name, verdict, measured, explanation, equivalences })
}

/// Everyone's runs of a training, without who has none that is long enough.
fn measure(row: &Row, training: &Hyperparameters, epochs: usize, runs: &[&RunRecord]) -> Vec<RowAssessment> {
    let name = training.name();
    let mut by_candidate: BTreeMap<(bool, String), Vec<&RunRecord>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.training == name && run.epochs.len() >= epochs) {
        by_candidate.entry(order(&run.identity)).or_default().push(run);
    }
    by_candidate.values().filter_map(|runs| RowAssessment::new(row, epochs, runs)).collect()
}

/// Everyone beside the first, over the seeds that both have.
fn equivalences(row: &Row, measured: &[RowAssessment]) -> Vec<Equivalence> {
    let Some((first, others)) = measured.split_first() else { return Vec::new() };
    others.iter().filter_map(|other| equivalence(&row.name, first, other)).collect()
}

/// Both, over the seeds that both have; `None` if there is none.
pub(super) fn equivalence(name: &str, left: &RowAssessment, right: &RowAssessment) -> Option<Equivalence> {
    let scores = |side: &RowAssessment, with: &RowAssessment| -> Vec<Score> {
        let values = side.accuracy.values.iter().zip(&side.test_losses);
        let of_both = side.seeds.iter().zip(values).filter(|(seed, _)| with.seeds.contains(seed));
        of_both.map(|(_, (&accuracy, &loss))| Score { accuracy, loss }).collect()
    };
    let pair =
        TrainedPair { training: name.to_owned(), first: left.candidate.clone(), second: right.candidate.clone() };
    let (left, right) = (scores(left, right), scores(right, left));
    (!left.is_empty()).then(|| Equivalence::test(pair, &left, &right, MARGIN))
}

fn provenance(records: &[Record]) -> Vec<Provenance<'_>> {
    let mut provenance: BTreeMap<_, (BTreeMap<_, &Identity>, usize)> = BTreeMap::new();
    for record in records {
        let identity = match &record.content {
            RecordContent::Run { run, .. } => &run.identity,
            RecordContent::Check { check } => &check.identity,
        };
        let (candidates, count) = provenance.entry((&record.environment, &record.dataset)).or_default();
        let machine = (order(identity), &identity.device, &identity.kernels);
        candidates.insert(machine, identity);
        *count += 1;
    }
    let place = |((environment, dataset), (candidates, records)): ((_, _), (BTreeMap<_, _>, usize))| Provenance {
        environment,
        dataset,
        candidates: candidates.into_values().collect(),
        records,
    };
    provenance.into_iter().map(place).collect()
}

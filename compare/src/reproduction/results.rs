//! Everything that is said of a report: a function of its grid and of records.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::assessment::{Measured, RowVerdict};
use super::grid::{Grid, Row, Table};
use super::settings::Training;
use crate::Identity;
use crate::record::{CheckRecord, DatasetRecord, Environment, Measurement, Record, RunRecord};
use crate::statistics::MARGIN;
use crate::training::{Equivalence, Names, Score};

/// What became of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Results<'a> {
    /// The report.
    pub grid: &'a Grid,
    /// Its tables, without those of which there is no run.
    pub tables: Vec<TableResult<'a>>,
    /// Every run, by the names of its training and participant, and by seed.
    pub runs: Vec<(&'a Record, &'a RunRecord)>,
    /// Every check.
    pub checks: Vec<&'a CheckRecord>,
    /// Everyone who ran, whoever has no backend first.
    pub participants: Vec<String>,
    /// Where all this was measured.
    pub places: Vec<Place<'a>>,
}

/// Machines and programs that are alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place<'a> {
    /// The program.
    #[serde(flatten)]
    pub environment: &'a Environment,
    /// The data.
    pub dataset: &'a DatasetRecord,
    /// Who ran there.
    pub participants: Vec<&'a Identity>,
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
    pub measured: Vec<Measured>,
    /// The same with a cause that might explain the row.
    pub explanation: Vec<Measured>,
    /// The others beside the first participant, seed by seed.
    pub agreements: Vec<Equivalence>,
}

impl RowResult<'_> {
    /// What decides: the runs of the report's implementation.
    pub fn decisive(&self) -> Option<&Measured> {
        self.measured.first()
    }

    /// What a cause that might explain the row is called in a table: its activation.
    pub fn explanation_name(&self) -> String {
        self.row.explained_by.as_ref().map_or_else(String::new, |cause| cause.training.activation.to_string())
    }
}

impl<'a> Results<'a> {
    /// Of these records, in whatever order they come.
    pub fn new(grid: &'a Grid, records: &'a [Record]) -> Self {
        let mut runs: Vec<(&Record, &RunRecord)> = Vec::new();
        let mut checks: Vec<&CheckRecord> = Vec::new();
        for record in records {
            match &record.measurement {
                Measurement::Run { run, .. } if run.complete => runs.push((record, run)),
                Measurement::Run { .. } => {}
                Measurement::Check { check } => checks.push(check),
            }
        }
        // Of runs of different lengths the longest stays.
        runs.sort_by_key(|(_, run)| (run.plan.clone(), order(&run.identity), run.seed, Reverse(run.epochs.len())));
        runs.dedup_by_key(|(_, run)| (run.plan.clone(), order(&run.identity), run.seed));
        checks.sort_by_key(|check| (check.name.clone(), order(&check.identity)));
        let all: Vec<&RunRecord> = runs.iter().map(|(_, run)| *run).collect();
        let tables = grid.tables.iter().filter_map(|table| measure_table(table, &all)).collect();
        let participants: BTreeSet<_> = runs.iter().map(|(_, run)| order(&run.identity)).collect();
        let participants = participants.into_iter().map(|(_, name)| name).collect();
        let places = places(records);
        Self { grid, tables, runs, checks, participants, places }
    }

    /// The row of a table, measured.
    pub fn find(&self, table: &str, row: &str) -> Option<(&TableResult<'a>, &RowResult<'a>)> {
        let table = self.tables.iter().find(|result| result.table.name == table)?;
        Some((table, table.rows.iter().find(|result| result.name == row)?))
    }

    /// The runs of one training by one participant.
    pub fn runs_of(&self, training: &str, participant: &str) -> Vec<&'a RunRecord> {
        let of = |run: &&RunRecord| run.plan == training && run.identity.to_string() == participant;
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
    let mut measured = measure(row, &row.training, row.epochs, runs);
    let agreements = agreements(row, &measured);
    // Stable: the others keep their order.
    measured.sort_by_key(|measured| measured.implementation != table.by);
    let explanation = row.explained_by.as_ref();
    let explanation = explanation.map_or_else(Vec::new, |cause| measure(row, &cause.training, cause.epochs, runs));
    let explains = explanation.first().is_some_and(|measured| measured.verdict == RowVerdict::Reproduced);
    let first = measured.first()?;
    let verdict = match first.verdict {
        // Whom the report ran has no run yet.
        _ if first.implementation != table.by => RowVerdict::Inconclusive,
        RowVerdict::Differs if explains => RowVerdict::Explained,
        verdict => verdict,
    };
    Some(RowResult { row, name: &row.name, verdict, measured, explanation, agreements })
}

/// Everyone's runs of a training, without who has none that is long enough.
fn measure(row: &Row, training: &Training, epochs: usize, runs: &[&RunRecord]) -> Vec<Measured> {
    let name = training.name();
    let mut by_participant: BTreeMap<(bool, String), Vec<&RunRecord>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.plan == name && run.epochs.len() >= epochs) {
        by_participant.entry(order(&run.identity)).or_default().push(run);
    }
    by_participant.values().filter_map(|runs| Measured::new(row, epochs, runs)).collect()
}

/// Everyone beside the first, over the seeds that both have.
fn agreements(row: &Row, measured: &[Measured]) -> Vec<Equivalence> {
    let Some((first, others)) = measured.split_first() else { return Vec::new() };
    others.iter().filter_map(|other| equivalence(&row.name, first, other)).collect()
}

/// Both, over the seeds that both have; `None` if there is none.
pub(super) fn equivalence(name: &str, left: &Measured, right: &Measured) -> Option<Equivalence> {
    let scores = |side: &Measured, with: &Measured| -> Vec<Score> {
        let values = side.accuracy.values.iter().zip(&side.test_losses);
        let of_both = side.seeds.iter().zip(values).filter(|(seed, _)| with.seeds.contains(seed));
        of_both.map(|(_, (&accuracy, &loss))| Score { accuracy, loss }).collect()
    };
    let names = Names { plan: name.to_owned(), left: left.participant.clone(), right: right.participant.clone() };
    let (left, right) = (scores(left, right), scores(right, left));
    (!left.is_empty()).then(|| Equivalence::judge(names, &left, &right, MARGIN))
}

fn places(records: &[Record]) -> Vec<Place<'_>> {
    let mut places: BTreeMap<_, (BTreeMap<_, &Identity>, usize)> = BTreeMap::new();
    for record in records {
        let identity = match &record.measurement {
            Measurement::Run { run, .. } => &run.identity,
            Measurement::Check { check } => &check.identity,
        };
        let (participants, count) = places.entry((&record.environment, &record.dataset)).or_default();
        let machine = (order(identity), &identity.device, &identity.kernels);
        participants.insert(machine, identity);
        *count += 1;
    }
    let place = |((environment, dataset), (participants, records)): ((_, _), (BTreeMap<_, _>, usize))| Place {
        environment,
        dataset,
        participants: participants.into_values().collect(),
        records,
    };
    places.into_iter().map(place).collect()
}

//! The grid: the tables that a report published, and how their rows are trained. Read from a TOML file.

use std::collections::BTreeSet;

use mlp_parity::{MlpConfig, Schedule, TrainingConfig};
use serde::{Deserialize, Serialize};

use super::hyperparameters::{Hyperparameters, Settings};
use crate::{Error, Result};

/// File name of the grid's copy in the folder of its records.
pub const GRID_FILE: &str = "grid.toml";

/// Name of the table with all runs, which is written beside the tables of a grid.
pub const RUNS: &str = "runs";

/// Name of the table with the comparison of the implementations, which is written beside the tables of a grid.
pub const PAIRS: &str = "pairs";

/// Largest length of the name of a table or figure, which becomes a file name.
const MAX_NAME: usize = 100;

/// Largest number of rows in all tables together. The time for finding rows with equal trainings grows quadratically.
const MAX_ROWS: usize = 1000;

/// The tables of a published report, with the hyper-parameters of every row.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// The report's title.
    pub title: String,
    /// The report's conclusion about two of its rows, if it draws one that can be tested.
    pub claim: Option<Claim>,
    /// The report's tables.
    pub tables: Vec<Table>,
    /// The text of the TOML file, from which two grids are compared and copies are written.
    pub text: String,
}

/// The report's claim that two of its rows, each trained by the implementation of its table, give equivalent results.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The claim in the report's words.
    pub text: String,
    /// The first of the two rows.
    pub left: RowName,
    /// The row that it is compared with.
    pub right: RowName,
}

/// The address of a row in a grid: its table and its name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowName {
    /// Name of the table.
    pub table: String,
    /// Name of the row in that table.
    pub row: String,
}

/// A table of the report, whose rows differ in one hyper-parameter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// Identifier, used on the command line and in file names: `table-1`.
    pub name: String,
    /// Title for display.
    pub title: String,
    /// The hyper-parameter in which the rows differ: `learning rate`.
    pub varies: String,
    /// The implementation that the report used: `scratch` or `framework`.
    pub by: String,
    /// True if the report used one of these rows without stating which. Such a table is a search for the
    /// hyper-parameter that reproduces the report's numbers.
    pub unstated: bool,
    /// The rows, in the report's order.
    #[serde(skip)]
    pub rows: Vec<Row>,
    /// The figure that shows the training losses of the rows, if there is one.
    pub figure: Option<FigureTitle>,
}

impl Table {
    /// Returns true if the names of tables and figures contain that of this table or of its figure, or if there are none.
    pub fn is_among(&self, names: &[String]) -> bool {
        let figure = self.figure.as_ref().map(|figure| &figure.name);
        names.is_empty() || names.iter().any(|name| *name == self.name || Some(name) == figure)
    }

    /// Returns the title up to its first colon or parenthesis: `Table 1`.
    pub fn short_title(&self) -> &str {
        self.title.split([':', '(']).next().unwrap_or(&self.title).trim()
    }
}

/// Identifier and title of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureTitle {
    /// Identifier, used on the command line and in file names: `figure-1`.
    pub name: String,
    /// Title for display.
    pub title: String,
}

/// A row of a table: the results that the report states for one training run, and its hyper-parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The row's value of the hyper-parameter that [varies](Table::varies): `0.01`.
    pub name: String,
    /// The reported accuracy on the test images, as a fraction from 0 to 1.
    pub accuracy: f64,
    /// The reported training loss: the running mean over the last epoch.
    pub training_loss: Option<f64>,
    /// The hyper-parameters of the run.
    pub hyperparameters: Hyperparameters,
    /// Number of epochs.
    pub epochs: usize,
    /// Name of the only implementation that trains this row; `None` if all implementations do.
    pub only: Option<String>,
    /// A different computation that the report may have used instead.
    pub explained_by: Option<Explanation>,
}

/// A possible explanation of a row that is not reproduced: a computation that differs from the stated one.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The computation that would explain the row, as a noun phrase: “the derivative of tanh as printed in the report”.
    pub cause: String,
    /// The hyper-parameters of that computation.
    pub hyperparameters: Hyperparameters,
    /// Number of epochs.
    pub epochs: usize,
    /// Name of the only implementation that can run that computation; `None` if all can.
    pub only: Option<String>,
}

impl Row {
    /// Returns true if the given network and training configuration match this row, ignoring the seed.
    pub fn matches_training(&self, config: &MlpConfig, training: &TrainingConfig) -> bool {
        let Hyperparameters { hidden, activation, deviation, optimizer, learning_rate, batch_size } =
            &self.hyperparameters;
        deviation.is_none()
            && (config.hidden(), config.activation()) == (hidden.as_slice(), *activation)
            && (training.optimizer(), training.learning_rate()) == (optimizer, *learning_rate)
            && training.schedule() == Schedule::Constant
            && (training.batch_size(), training.epochs()) == (*batch_size, self.epochs)
    }
}

impl Grid {
    /// Returns the grid of the report that this project reproduces.
    ///
    /// # Errors
    ///
    /// None in practice: the file is part of the program, and tested.
    pub fn report() -> Result<Self> {
        Self::from_toml(include_str!("report.toml"), "the report")
    }

    /// Parses a grid from TOML. `origin` is its file name for error messages.
    ///
    /// # Errors
    ///
    /// [`Error::Grid`] if the text is not valid TOML, or has an unknown key, a duplicate name, a claim about an unknown
    /// row, more than 1000 rows, or a row with invalid hyper-parameters.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self> {
        let failed = |reason: String| Error::Grid { origin: origin.to_owned(), reason };
        let file: GridFile = toml::from_str(text).map_err(|error| failed(error.to_string()))?;
        let GridFile { title, settings, claim, table: tables } = file;
        let rows: usize = tables.iter().map(|table| table.row.len()).sum();
        if rows > MAX_ROWS {
            return Err(failed(format!("the tables have {rows} rows; at most {MAX_ROWS} are allowed")));
        }
        let tables = tables.into_iter().map(|table| table.resolve(&settings)).collect::<Result<_, _>>();
        let grid = Self { title, claim, tables: tables.map_err(failed)?, text: text.to_owned() };
        grid.validate().map_err(failed)?;
        Ok(grid)
    }

    /// Returns the row with the given address and its table; `None` if the grid has no such row.
    pub fn find(&self, name: &RowName) -> Option<(&Table, &Row)> {
        let table = self.tables.iter().find(|table| table.name == name.table)?;
        Some((table, table.rows.iter().find(|row| row.name == name.row)?))
    }

    fn validate(&self) -> Result<(), String> {
        if self.tables.is_empty() {
            return Err("the grid must contain at least one `[[table]]`".to_owned());
        }
        let mut names = BTreeSet::new();
        let figures = self.tables.iter().filter_map(|table| table.figure.as_ref()).map(|figure| &figure.name);
        for name in self.tables.iter().map(|table| &table.name).chain(figures) {
            let is_plain =
                |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
            if name.is_empty() || !name.chars().all(is_plain) {
                return Err(format!(
                    "invalid name '{name}': use lower-case letters, digits and '-', as it becomes a file name"
                ));
            }
            if name.len() > MAX_NAME {
                return Err(format!("name '{name}' has {} characters; at most {MAX_NAME} are allowed", name.len()));
            }
            if [RUNS, PAIRS].contains(&name.as_str()) {
                return Err(format!("name '{name}' is reserved for a table of all runs or pairs; choose another"));
            }
            if !names.insert(name) {
                return Err(format!("duplicate name '{name}' among the tables and figures"));
            }
        }
        for name in self.claim.iter().flat_map(|claim| [&claim.left, &claim.right]) {
            if self.find(name).is_none() {
                return Err(format!(
                    "the claim refers to row '{}' of table '{}', which does not exist",
                    name.row, name.table
                ));
            }
        }
        Ok(())
    }
}

/// The contents of the TOML file, before tables and rows inherit settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GridFile {
    title: String,
    #[serde(default)]
    settings: Settings,
    claim: Option<Claim>,
    #[serde(default)]
    table: Vec<TableEntry>,
}

/// A `[[table]]` of the TOML file, before its rows inherit settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableEntry {
    name: String,
    title: String,
    varies: String,
    by: String,
    only: Option<String>,
    #[serde(default)]
    unstated: bool,
    #[serde(default)]
    settings: Settings,
    figure: Option<FigureTitle>,
    row: Vec<RowEntry>,
}

/// A row of a table in the file. The accuracy is in percent, as printed in the report.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowEntry {
    name: String,
    accuracy: f64,
    training_loss: Option<f64>,
    #[serde(default)]
    settings: Settings,
    explained_by: Option<ExplanationEntry>,
}

/// The `explained_by` entry of a row: a computation that the report may have used instead of the stated one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExplanationEntry {
    cause: String,
    only: Option<String>,
    #[serde(default)]
    settings: Settings,
}

impl TableEntry {
    /// Completes the table: its rows inherit its settings, and it inherits `outer`, the settings of the grid.
    fn resolve(self, outer: &Settings) -> Result<Table, String> {
        let Self { name, title, varies, by, only, unstated, settings, figure, row: entries } = self;
        let settings = settings.inherit(outer);
        let mut rows: Vec<Row> = Vec::new();
        for row in entries {
            let place = format!("table '{name}', row '{}'", row.name);
            if rows.iter().any(|other| other.name == row.name) {
                return Err(format!("{place}: duplicate row name"));
            }
            rows.push(row.resolve(&settings, only.clone()).map_err(|reason| format!("{place}: {reason}"))?);
        }
        if rows.is_empty() {
            return Err(format!("table '{name}' has no rows"));
        }
        if only.as_ref().is_some_and(|only| *only != by) {
            return Err(format!(
                "table '{name}': 'only' excludes '{by}', the implementation that the report used ('by')"
            ));
        }
        Ok(Table { name, title, varies, by, unstated, rows, figure })
    }
}

impl RowEntry {
    /// Completes the row with `outer`, the settings of its table.
    fn resolve(self, outer: &Settings, only: Option<String>) -> Result<Row, String> {
        let Self { name, accuracy, training_loss, settings, explained_by } = self;
        if !(0.0..=100.0).contains(&accuracy) {
            return Err(format!("accuracy {accuracy} is out of range: expected 0 to 100 (percent)"));
        }
        if let Some(loss) = training_loss.filter(|loss| !(loss.is_finite() && *loss >= 0.0)) {
            return Err(format!("training_loss {loss} is invalid: expected a finite number ≥ 0"));
        }
        let settings = settings.inherit(outer);
        let (hyperparameters, epochs) = settings.hyperparameters()?;
        let explained_by = explained_by.map(|entry| {
            let (hyperparameters, epochs) = entry.settings.inherit(&settings).hyperparameters()?;
            Ok::<_, String>(Explanation { cause: entry.cause, hyperparameters, epochs, only: entry.only })
        });
        // Parse the decimal fraction directly: a division by 100 would round a second time.
        let accuracy = format!("{accuracy}e-2").parse().unwrap_or(accuracy / 100.0);
        let explained_by = explained_by.transpose()?;
        Ok(Row { name, accuracy, training_loss, hyperparameters, epochs, only, explained_by })
    }
}

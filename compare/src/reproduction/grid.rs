//! What a report states.

use std::collections::BTreeSet;

use mlp_parity::{MlpConfig, Schedule, TrainingConfig};
use serde::{Deserialize, Serialize};

use super::hyperparameters::{Hyperparameters, Settings};
use crate::{Error, Result};

/// The grid's file, in the folder of its records.
pub const GRID_FILE: &str = "grid.toml";

/// The tables of a report, and how their rows are run.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// The report's.
    pub title: String,
    /// What it concludes, where that can be tested.
    pub claim: Option<Claim>,
    /// Its tables.
    pub tables: Vec<Table>,
    /// The file's text.
    pub text: String,
}

/// That two rows, each by the implementation that the report had for it, come to the same.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// In the report's words.
    pub text: String,
    /// One row.
    pub left: RowName,
    /// The other.
    pub right: RowName,
}

/// Where to find a row.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowName {
    /// The table's name.
    pub table: String,
    /// The row's name in it.
    pub row: String,
}

/// Rows that differ in one thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// `table-1`
    pub name: String,
    /// For a reader.
    pub title: String,
    /// What the rows differ in.
    pub varies: String,
    /// Which implementation the report ran.
    pub by: String,
    /// Whether the report ran one of these rows and does not say which.
    pub unstated: bool,
    /// The rows.
    #[serde(skip)]
    pub rows: Vec<Row>,
    /// The figure that shows the training losses.
    pub figure: Option<FigureTitle>,
}

impl Table {
    /// The title up to what it says in detail: `Table 1`.
    pub fn short_title(&self) -> &str {
        self.title.split([':', '(']).next().unwrap_or(&self.title).trim()
    }
}

/// What a figure is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureTitle {
    /// `figure-1`
    pub name: String,
    /// For a reader.
    pub title: String,
}

/// What the report states of one training.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it has of that in which rows differ.
    pub name: String,
    /// Of the test images, as a share.
    pub accuracy: f64,
    /// Running mean over the last epoch.
    pub training_loss: Option<f64>,
    /// How it is run.
    pub hyperparameters: Hyperparameters,
    /// For how long.
    pub epochs: usize,
    /// The one implementation that runs it, if not all do.
    pub only: Option<String>,
    /// What else the report may have run.
    pub explained_by: Option<Explanation>,
}

/// A cause that might explain what a row states.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// In words.
    pub cause: String,
    /// How that is run.
    pub hyperparameters: Hyperparameters,
    /// For how long.
    pub epochs: usize,
    /// The one implementation that runs it, if not all do.
    pub only: Option<String>,
}

impl Row {
    /// Whether that is how this row is run, but for the seed.
    pub fn is_run_as(&self, config: &MlpConfig, training: &TrainingConfig) -> bool {
        let Hyperparameters { hidden, activation, optimizer, learning_rate, batch_size } = &self.hyperparameters;
        (config.hidden(), config.activation()) == (hidden.as_slice(), *activation)
            && (training.optimizer(), training.learning_rate()) == (optimizer, *learning_rate)
            && training.schedule() == Schedule::Constant
            && (training.batch_size(), training.epochs()) == (*batch_size, self.epochs)
    }
}

impl Grid {
    /// The report that this project reproduces.
    ///
    /// # Errors
    ///
    /// None: it ships with the program.
    pub fn report() -> Result<Self> {
        Self::from_toml(include_str!("report.toml"), "the report")
    }

    /// Reads a grid from TOML; `origin` says where it comes from.
    ///
    /// # Errors
    ///
    /// [`Error::Grid`] if it is no TOML, has an unknown key, a name twice, or a row that cannot be run.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self> {
        let failed = |reason: String| Error::Grid { origin: origin.to_owned(), reason };
        let written: Written = toml::from_str(text).map_err(|error| failed(error.to_string()))?;
        let Written { title, settings, claim, table: tables } = written;
        let tables = tables.into_iter().map(|table| table.resolve(&settings)).collect::<Result<_, _>>();
        let grid = Self { title, claim, tables: tables.map_err(failed)?, text: text.to_owned() };
        grid.validate().map_err(failed)?;
        Ok(grid)
    }

    /// The table and row of that name.
    pub fn find(&self, name: &RowName) -> Option<(&Table, &Row)> {
        let table = self.tables.iter().find(|table| table.name == name.table)?;
        Some((table, table.rows.iter().find(|row| row.name == name.row)?))
    }

    fn validate(&self) -> Result<(), String> {
        if self.tables.is_empty() {
            return Err("there is no table".to_owned());
        }
        let mut names = BTreeSet::new();
        let figures = self.tables.iter().filter_map(|table| table.figure.as_ref()).map(|figure| &figure.name);
        for name in self.tables.iter().map(|table| &table.name).chain(figures) {
            let is_plain =
                |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
            if name.is_empty() || !name.chars().all(is_plain) {
                return Err(format!("'{name}' becomes the name of a file: use lower-case letters, digits and '-'"));
            }
            if !names.insert(name) {
                return Err(format!("the name '{name}' is there twice"));
            }
        }
        for name in self.claim.iter().flat_map(|claim| [&claim.left, &claim.right]) {
            if self.find(name).is_none() {
                return Err(format!("the claim: there is no row '{}' in a table '{}'", name.row, name.table));
            }
        }
        Ok(())
    }
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    #[serde(default)]
    settings: Settings,
    claim: Option<Claim>,
    #[serde(default)]
    table: Vec<WrittenTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTable {
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
    row: Vec<WrittenRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRow {
    name: String,
    accuracy: f64,
    training_loss: Option<f64>,
    #[serde(default)]
    settings: Settings,
    explained_by: Option<WrittenExplanation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenExplanation {
    cause: String,
    only: Option<String>,
    #[serde(default)]
    settings: Settings,
}

impl WrittenTable {
    fn resolve(self, outer: &Settings) -> Result<Table, String> {
        let Self { name, title, varies, by, only, unstated, settings, figure, row: written } = self;
        let settings = settings.or(outer);
        let mut rows: Vec<Row> = Vec::new();
        for row in written {
            let place = format!("table '{name}', row '{}'", row.name);
            if rows.iter().any(|other| other.name == row.name) {
                return Err(format!("{place}: it is there twice"));
            }
            rows.push(row.resolve(&settings, only.clone()).map_err(|reason| format!("{place}: {reason}"))?);
        }
        if rows.is_empty() {
            return Err(format!("table '{name}' has no row"));
        }
        if only.as_ref().is_some_and(|only| *only != by) {
            return Err(format!("table '{name}': '{by}', by which the report ran it, does not run it here"));
        }
        Ok(Table { name, title, varies, by, unstated, rows, figure })
    }
}

impl WrittenRow {
    fn resolve(self, outer: &Settings, only: Option<String>) -> Result<Row, String> {
        let Self { name, accuracy, training_loss, settings, explained_by } = self;
        if !(0.0..=100.0).contains(&accuracy) {
            return Err(format!("an accuracy of {accuracy} is not from 0 to 100 %"));
        }
        if training_loss.is_some_and(|loss| !(loss.is_finite() && loss >= 0.0)) {
            return Err("the training loss is not a number from 0 upwards".to_owned());
        }
        let settings = settings.or(outer);
        let (hyperparameters, epochs) = settings.hyperparameters()?;
        let explained_by = explained_by.map(|written| {
            let (hyperparameters, epochs) = written.settings.or(&settings).hyperparameters()?;
            Ok::<_, String>(Explanation { cause: written.cause, hyperparameters, epochs, only: written.only })
        });
        // The double nearest to the share; a division rounds once more.
        let accuracy = format!("{accuracy}e-2").parse().unwrap_or(accuracy / 100.0);
        let explained_by = explained_by.transpose()?;
        Ok(Row { name, accuracy, training_loss, hyperparameters, epochs, only, explained_by })
    }
}

//! Checks that records belong together.

use std::collections::BTreeSet;

use super::results::order;
use crate::record::{DatasetRecord, Environment, Record, RecordContent};
use crate::{Error, Result};

/// Shows that records may stand in one table: nothing was measured twice, and unless `allow_mixed`, all with the same data
/// and by the same revision of the program.
///
/// # Errors
///
/// [`Error::Records`] says which do not.
pub fn check_consistency(records: &[Record], allow_mixed: bool) -> Result<()> {
    let mut seen = BTreeSet::new();
    for record in records {
        // A longer run takes the place of a shorter one.
        let (what, identity, seed, epochs) = match &record.content {
            RecordContent::Run { run, .. } => (&run.training, &run.identity, Some(run.seed), run.epochs.len()),
            RecordContent::Check { check } => (&check.name, &check.identity, None, 0),
        };
        if !seen.insert((what, order(identity), seed, epochs)) {
            let seed = seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
            return Err(Error::Records(format!(
                "there are two records of {what}, {identity}{seed}; is a folder named twice?"
            )));
        }
    }
    match records.first() {
        Some(Record { dataset, environment, .. }) if !allow_mixed => check_origin(records, dataset, environment),
        _ => Ok(()),
    }
}

/// Shows that all records are of these data, and by this revision of the program.
///
/// # Errors
///
/// [`Error::Records`] says what is not.
pub fn check_origin(records: &[Record], dataset: &DatasetRecord, environment: &Environment) -> Result<()> {
    let data = |DatasetRecord { digest, train, test, .. }: &DatasetRecord| {
        format!("{digest} with {train} training and {test} test images")
    };
    for record in records {
        let (left, right) = (data(&record.dataset), data(dataset));
        if left != right {
            return Err(mixed("data", &left, &right));
        }
        let (left, right) = (&record.environment.revision, &environment.revision);
        if left != right {
            return Err(mixed("revisions of the program", left, right));
        }
    }
    Ok(())
}

fn mixed(what: &'static str, left: &str, right: &str) -> Error {
    Error::MixedRecords { what, left: left.to_owned(), right: right.to_owned() }
}

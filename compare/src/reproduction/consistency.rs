//! Checks that records can be combined into one set of results.

use std::collections::BTreeSet;

use super::results::order;
use crate::record::{DatasetRecord, Environment, Record, RecordContent};
use crate::statistics::SequentialPlan;
use crate::{Error, Result};

/// Checks that records can be combined: no training run or check was recorded twice, all that were made until a comparison was
/// decided follow the same plan and, unless `allow_mixed` is set, all records come from the same data and the same revision of
/// the program.
///
/// # Errors
///
/// [`Error::Records`] for a duplicate record; or for two plans, whose error rates would not hold together;
/// otherwise the errors of [`check_origin`].
pub fn check_consistency(records: &[Record], allow_mixed: bool) -> Result<()> {
    let mut seen = BTreeSet::new();
    for record in records {
        // Runs of different lengths are not duplicates: a longer run replaces a shorter one.
        let (name, identity, seed, epochs) = match &record.content {
            RecordContent::Run { run, .. } => (&run.training, &run.identity, Some(run.seed), run.epochs.len()),
            RecordContent::Check { check } => (&check.name, &check.identity, None, 0),
        };
        if !seen.insert((name, order(identity), seed, epochs)) {
            let seed = seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
            return Err(Error::Records(format!(
                "duplicate record of {name}, {identity}{seed}; was the same folder given twice?"
            )));
        }
    }
    let mut plans = records.iter().filter_map(|record| record.max_seeds).map(SequentialPlan::max_seeds);
    if let Some(first) = plans.next()
        && let Some(other) = plans.find(|&other| other != first)
    {
        return Err(Error::Records(format!(
            "seeds were added until the pairs were decided, up to {first} and up to {other}; the error rates hold for one \
             largest number only, so continue with the same"
        )));
    }
    match records.first() {
        Some(Record { dataset, environment, .. }) if !allow_mixed => check_origin(records, dataset, environment),
        _ => Ok(()),
    }
}

/// Checks that all records come from this data set and this revision of the program.
///
/// # Errors
///
/// [`Error::MixedRecords`] with the first difference.
pub fn check_origin(records: &[Record], dataset: &DatasetRecord, environment: &Environment) -> Result<()> {
    let data = |DatasetRecord { digest, train, test, .. }: &DatasetRecord| {
        format!("{digest} with {train} training and {test} test images")
    };
    for record in records {
        let (recorded, current) = (data(&record.dataset), data(dataset));
        if recorded != current {
            return Err(mixed("data", &recorded, &current));
        }
        let (recorded, current) = (&record.environment.revision, &environment.revision);
        if recorded != current {
            return Err(mixed("revisions of the program", recorded, current));
        }
    }
    Ok(())
}

fn mixed(property: &'static str, first: &str, second: &str) -> Error {
    Error::MixedRecords { property, first: first.to_owned(), second: second.to_owned() }
}

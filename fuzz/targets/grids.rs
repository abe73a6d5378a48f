//! Reads the fuzzer's input as a grid, the TOML file that describes a report. For an accepted grid, the jobs of every
//! selection and of every shard must follow from it, or an error.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mlp_parity::Dataset;
use mlp_parity_compare::record::Shard;
use mlp_parity_compare::reproduction::{Grid, Results, Selection, jobs, jobs_of_shard, missing_jobs};
use mlp_parity_compare::{Candidate, Identity};

/// Number of shards into which the jobs are divided.
const SHARDS: usize = 3;

/// Candidates with the names of the implementations of `compare`. They are never run.
static CANDIDATES: LazyLock<[Candidate; 2]> = LazyLock::new(|| {
    [("scratch", None), ("framework", Some("flex".to_owned()))].map(|(implementation, backend)| {
        let (implementation, device) = (implementation.to_owned(), "cpu".to_owned());
        let identity = Identity { implementation, backend, device, kernels: None };
        Candidate::new(identity, |_, _| unreachable!("no job is run"))
    })
});

static IMAGES: LazyLock<Dataset> =
    LazyLock::new(|| Dataset::synthetic(4, [1, 2], 10, 0).expect("the data set is invalid"));

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(grid) = Grid::from_toml(text, "input") else { return };
    let Ok(all) = jobs(&grid, &Selection { only: Vec::new(), seeds: 2 }, &*CANDIDATES, &IMAGES) else { return };
    assert_eq!(missing_jobs(&all, &[]), all);
    let shards = (1..=SHARDS).map(|index| jobs_of_shard(&all, Shard { index, count: SHARDS }));
    assert_eq!(shards.map(|jobs| jobs.len()).sum::<usize>(), all.len());
    for table in &grid.tables {
        let selection = Selection { only: vec![table.name.clone()], seeds: 1 };
        let selected = jobs(&grid, &selection, &*CANDIDATES, &IMAGES).expect("a table of a valid grid has no jobs");
        assert!(!selected.is_empty());
    }
    // Results without any record.
    let _ = Results::new(&grid, &[]).document();
});

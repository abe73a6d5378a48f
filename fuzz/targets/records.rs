//! Reads the fuzzer's input as `records.jsonl`, the records of the report in `grid.toml`. From accepted records, the
//! jobs that are still missing, the results, and the pages and figures must follow, or an error.
#![no_main]

#[allow(dead_code, reason = "only some of the program's items are used here")]
#[path = "../../compare/cli/src/output"]
mod output {
    pub(crate) mod escape;

    pub(crate) mod plots {
        mod canvas;
        mod losses;

        pub(crate) use losses::Losses;
    }

    pub(crate) mod publication {
        mod html;
        mod markdown;
        mod wording;

        use mlp_parity_compare::reproduction::Results;

        use super::plots::Losses;
        use crate::error::Result;

        /// Returns the length of both pages with their figures.
        pub(crate) fn length(results: &Results<'_>) -> Result<usize> {
            let figures: Vec<_> = results.tables.iter().map(|table| Losses::new(results, table)).collect();
            Ok(markdown::page(results).len() + markdown::summary(results).len() + html::page(results, &figures)?.len())
        }
    }
}

/// The items of the program's error module that the pages use. With the module itself, this target would need Burn.
mod error {
    pub(crate) use mlp_parity::{Error, Result};
}

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mlp_parity_compare::record::RecordFile;
use mlp_parity_compare::reproduction::{Grid, Results, check_consistency};

static GRID: LazyLock<Grid> =
    LazyLock::new(|| Grid::from_toml(include_str!("../grid.toml"), "grid.toml").expect("the grid is invalid"));

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("records.jsonl");
    let Ok(RecordFile { records, .. }) = RecordFile::parse(bytes, path) else { return };
    for record in &records {
        let line = record.to_line().expect("an accepted record cannot be written");
        let again = RecordFile::parse(&line, path).expect("a record that was just written was rejected");
        // Compare lines: a check record with NaN is not equal to itself.
        assert_eq!(again.records[0].to_line().expect("a record cannot be written again"), line);
    }
    let _ = check_consistency(&records, false);
    if check_consistency(&records, true).is_ok() {
        let results = Results::new(&GRID, &records);
        let _ = results.document();
        let _ = output::publication::length(&results);
    }
});

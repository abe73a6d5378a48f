//! `compare data`: shows the files of a data set, and verifies them against the digests of known data sets.

use mlp_parity::mnist::{Collection, md5};
use serde_json::json;

use crate::args::ShowDataOptions;
use crate::error::Result;
use crate::output::print::print_json;
use crate::output::terminal::{Column, Page, Table};

/// Runs `compare data` and returns the exit code.
pub(crate) fn run(options: &ShowDataOptions) -> Result<u8> {
    let source = &options.source.data;
    let mnist = source.load()?;
    let files = source.files()?.map(|(origin, bytes)| (origin, bytes.len(), md5(&bytes)));
    let known_title = |digest: &str| {
        let contains =
            |collection: &&Collection| collection.unpacked_md5.is_some_and(|digests| digests.contains(&digest));
        Collection::ALL.into_iter().find(contains).map(|collection| collection.title)
    };
    if options.json {
        let files = files.map(|(origin, length, md5)| {
            let collection = known_title(&md5);
            json!({"file": origin, "bytes": length, "md5": md5, "collection": collection})
        });
        let document = json!({
            "format": "mlp-parity-data/1",
            "source": source.to_string(),
            "digest": mnist.digest,
            "train": mnist.train.len(),
            "test": mnist.test.len(),
            "files": files,
        });
        print_json(serde_json::to_string_pretty(&document))?;
        return Ok(0);
    }
    let (train, test) = (mnist.train.len(), mnist.test.len());
    let mut page = Page::new();
    page.lines([format!("source {source}: {train} training and {test} test images"), mnist.digest]);
    let mut table =
        Table::new([Column::name("file"), Column::number("bytes"), Column::text("MD5"), Column::text("data set")]);
    for (origin, length, md5) in &files {
        table.add_row([origin.as_str(), &length.to_string(), md5, known_title(md5).unwrap_or("—")]);
    }
    page.table("Files, unpacked", &table);
    let names = Collection::ALL.map(|collection| collection.name).join(", ");
    page.paragraph(&format!(
        "sources: embedded (MNIST, built into this program); dir:PATH (a folder with the four IDX files, gzipped or \
         not); {names} (after 'compare data download NAME'); burn-cache (MNIST, if Burn has downloaded it)"
    ));
    page.print()?;
    Ok(0)
}

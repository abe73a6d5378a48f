//! `compare data`: shows the files of a data set and some of its images, and verifies them against the digests of known data
//! sets.

use mlp_parity::mnist::{Collection, md5};
use serde_json::json;

use crate::args::ShowDataOptions;
use crate::error::Result;
use crate::output::print::print_json;
use crate::output::terminal::{self, Column, Page, Table};

/// Runs `compare data` and returns the exit code.
pub(crate) fn run(options: &ShowDataOptions) -> Result<u8> {
    let source = &options.source.data;
    let mnist = source.load()?;
    let files = mnist.idx_files().map(|(origin, bytes)| (origin, bytes.len(), md5(&bytes)));
    let (train, test) = (&mnist.train, &mnist.test);
    if options.json {
        let files = files.map(|(origin, length, md5)| {
            let collection = known_title(&md5);
            json!({"file": origin, "bytes": length, "md5": md5, "collection": collection})
        });
        let document = json!({
            "format": "mlp-parity-data/1",
            "source": source.to_string(),
            "digest": mnist.digest,
            "train": train.len(),
            "test": test.len(),
            "image_shape": train.image_shape(),
            "classes": train.classes(),
            "notes": mnist.notes,
            "files": files,
        });
        print_json(serde_json::to_string_pretty(&document))?;
        return Ok(0);
    }
    let [rows, columns] = train.image_shape();
    let mut page = Page::new();
    let summary = format!(
        "source {source}: {} training and {} test images of {rows} × {columns} pixels in {} classes",
        train.len(),
        test.len(),
        train.classes()
    );
    page.lines([summary, mnist.digest.clone()]);
    let mut table =
        Table::new([Column::name("file"), Column::number("bytes"), Column::text("MD5"), Column::text("data set")]);
    for (origin, length, md5) in &files {
        table.add_row([origin.as_str(), &length.to_string(), md5, known_title(md5).unwrap_or("—")]);
    }
    page.table("Files, as unpacked IDX files", table);
    page.table("First training image of each class", terminal::images(train));
    let names = Collection::ALL.map(|collection| collection.name).join(", ");
    page.paragraph(
        "If the images lie on their side or are mirrored, their rows and columns are exchanged, as in EMNIST's files; a network \
         trained on them does not recognize upright digits.",
    );
    page.paragraph(&format!(
        "sources: embedded (MNIST, built into this program); a folder with the four IDX files, gzipped or not, or with CSV \
         files; an .npz or CSV file; {names} (after 'compare data download NAME'); burn-cache (MNIST, if Burn has downloaded it)"
    ));
    page.print()?;
    Ok(0)
}

/// Returns the title of the collection that contains a file with this MD5 digest.
fn known_title(digest: &str) -> Option<&'static str> {
    let contains = |collection: &&Collection| collection.unpacked_md5.is_some_and(|digests| digests.contains(&digest));
    Collection::ALL.into_iter().find(contains).map(|collection| collection.title)
}

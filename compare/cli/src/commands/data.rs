//! Where images can come from, and what they are.

use mlp_parity::mnist::{Collection, md5};
use serde_json::json;

use crate::args::ShowDataOptions;
use crate::error::Result;
use crate::output::print::{print, print_json};
use crate::output::terminal;

pub(crate) fn run(options: &ShowDataOptions) -> Result<u8> {
    let source = &options.source.data;
    let mnist = source.load()?;
    let files = source.files()?.map(|(origin, bytes)| (origin, bytes.len(), md5(&bytes)));
    let known = |digest: &str| {
        let has = |collection: &&Collection| collection.unpacked_md5.is_some_and(|digests| digests.contains(&digest));
        Collection::ALL.into_iter().find(has).map(|collection| collection.title)
    };
    if options.json {
        let files = files.map(
            |(origin, length, md5)| json!({"file": origin, "bytes": length, "md5": md5, "collection": known(&md5)}),
        );
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
    print(format_args!("source {source}: {train} training and {test} test images\n{}", mnist.digest))?;
    let mut table = terminal::table(&["file", "bytes unpacked", "MD5 unpacked", "known as"]);
    for (origin, length, md5) in &files {
        table.add_row([origin.as_str(), &length.to_string(), md5, known(md5).unwrap_or("—")]);
    }
    print(&table)?;
    let names = Collection::ALL.map(|collection| collection.name).join(", ");
    print(format_args!(
        "sources: embedded (MNIST, in this program); dir:PATH (a folder with the four IDX files, gzipped or not); {names} (once \
         'compare data download NAME' has fetched them); burn-cache (MNIST, once Burn has fetched it)"
    ))?;
    Ok(0)
}

//! Where images can come from, and whether they are MNIST.

use mlp_parity::mnist::{ORIGINAL_MD5, md5};
use mlp_parity_compare::Result;
use serde_json::json;

use super::{print, print_json};
use crate::cli::ShowDataOptions;
use crate::report;

pub(crate) fn run(options: &ShowDataOptions) -> Result<u8> {
    let mnist = options.source.data.load()?;
    let files = options.source.data.files()?.map(|(origin, bytes)| (origin, bytes.len(), md5(&bytes)));
    let original: Vec<bool> = files.iter().zip(ORIGINAL_MD5).map(|((.., digest), md5)| digest == md5).collect();
    if options.json {
        let files: Vec<_> = files
            .iter()
            .zip(&original)
            .map(|((origin, length, md5), original)| {
                json!({"file": origin, "bytes": length, "md5": md5, "original": original})
            })
            .collect();
        let document = json!({
            "format": "mlp-parity-data/1",
            "source": options.source.data.to_string(),
            "digest": mnist.digest,
            "train": mnist.train.len(),
            "test": mnist.test.len(),
            "files": files,
        });
        print_json(serde_json::to_string_pretty(&document))?;
        return Ok(0);
    }
    print(format_args!(
        "source {}: {} training and {} test images",
        options.source.data,
        mnist.train.len(),
        mnist.test.len()
    ))?;
    print(&mnist.digest)?;
    let mut table = report::table(&["file", "bytes unpacked", "MD5 unpacked", "original MNIST"]);
    for ((origin, length, md5), original) in files.iter().zip(&original) {
        table.add_row([origin.as_str(), &length.to_string(), md5, if *original { "yes" } else { "no" }]);
    }
    print(&table)?;
    print("sources: embedded (MNIST, in this program); dir:PATH (a folder with the four IDX files, gzipped or not)")?;
    Ok(0)
}

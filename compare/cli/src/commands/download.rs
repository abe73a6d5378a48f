//! `compare data download`: downloads data sets to the user's cache.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use mlp_parity::mnist::{Collection, PublishedFile};

use crate::args::DownloadOptions;
use crate::error::{Error, Result};
use crate::input::download::Mirrors;
use crate::output::print::eprint_line;

/// Runs `compare data download` and returns the exit code.
pub(crate) fn run(options: &DownloadOptions) -> Result<u8> {
    let unknown = |name: &String| {
        let names = Collection::ALL.map(|collection| collection.name).join(", ");
        Error::Usage(format!("unknown data set '{name}'; expected one of: {names}"))
    };
    let find = |name: &String| Collection::from_name(name).ok_or_else(|| unknown(name));
    for collection in options.names.iter().map(find).collect::<Result<Vec<_>>>()? {
        let folder = collection.folder()?;
        let published: Vec<String> = collection.mirrors.iter().map(|&url| url.to_owned()).collect();
        let urls = if options.mirrors.is_empty() { &published } else { &options.mirrors };
        let mirrors = Mirrors { urls, silence: Duration::from_secs(options.silence) };
        for file in &collection.published {
            let bar = bar(file, options.quiet);
            mirrors.fetch(file, &folder, &bar)?;
            bar.finish_and_clear();
        }
        if !options.quiet {
            eprint_line(format_args!(
                "{}: available in {}; use it with '--data {}'",
                collection.title,
                folder.display(),
                collection.name
            ));
        }
    }
    Ok(0)
}

/// Creates the progress bar of one file; it is hidden if `quiet`.
fn bar(file: &PublishedFile, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} {bar:20} {bytes} of {total_bytes}  {eta} left");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(file.length).with_style(style).with_prefix(format!("{:<26}", file.name))
}

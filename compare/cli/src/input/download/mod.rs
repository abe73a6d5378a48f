//! Files from the web: the bytes that were published, or none. What has come of a file stays beside it as `.partial`, and the
//! next try goes on from there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use mlp_parity::mnist::Published;
use mlp_parity::storage::{ensure_writable_folder, sync_folder};
use ureq::Agent;

use crate::error::Result;

/// Where files are, and for how long a server may say nothing.
pub(crate) struct Mirrors<'a> {
    /// Folders on the web, the best first.
    pub(crate) urls: &'a [String],
    pub(crate) silence: Duration,
}

impl Mirrors<'_> {
    /// Fetches a file into a folder, unless it is there, and shows on the bar how much of it there is.
    ///
    /// # Errors
    ///
    /// If no mirror has it, with what each of them did, or the folder cannot be written.
    pub(crate) fn fetch(&self, file: &Published, folder: &Path, bar: &ProgressBar) -> Result<()> {
        let path = folder.join(file.name);
        if fs::read(&path).is_ok_and(|bytes| file.is(&bytes)) {
            return Ok(());
        }
        ensure_writable_folder(folder)?;
        let agent: Agent = Agent::config_builder()
            .timeout_connect(Some(self.silence))
            .timeout_recv_response(Some(self.silence))
            .timeout_per_read(Some(self.silence))
            .build()
            .into();
        let fetch = Fetch { file, partial: folder.join(format!("{}.partial", file.name)), agent, bar };
        let mut reasons = Vec::new();
        for mirror in self.urls {
            let url = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
            let had_some = fetch.begun() > 0;
            let mut fetched = fetch.fetch(&url);
            if fetched.is_err() && had_some && fetch.begun() == 0 {
                // What there was may have been of another file.
                fetched = fetch.fetch(&url);
            }
            match fetched {
                Ok(()) => return Ok(fetch.keep(&path, folder)?),
                Err(reason) => reasons.push(format!("{url}: {reason}")),
            }
        }
        let reason = format!("cannot be fetched; {}; --mirror names another folder on the web", reasons.join("; "));
        Err(mlp_parity::Error::data(file.name, reason).into())
    }
}

/// A file on its way.
struct Fetch<'a> {
    file: &'a Published,
    partial: PathBuf,
    agent: Agent,
    bar: &'a ProgressBar,
}

impl Fetch<'_> {
    /// How many bytes there are already.
    fn begun(&self) -> u64 {
        fs::metadata(&self.partial).map_or(0, |file| file.len())
    }

    /// Completes the partial file. One that turns out to be another is removed.
    fn fetch(&self, url: &str) -> Result<(), String> {
        if self.begun() < self.file.length {
            self.receive(url)?;
        }
        let bytes = fs::read(&self.partial).map_err(text)?;
        if self.file.is(&bytes) {
            return Ok(());
        }
        fs::remove_file(&self.partial).map_err(text)?;
        Err(format!("has other bytes than those that were published (SHA-256 {})", self.file.sha256))
    }

    fn receive(&self, url: &str) -> Result<(), String> {
        let begun = self.begun();
        let mut request = self.agent.get(url);
        if begun > 0 {
            request = request.header("Range", format!("bytes={begun}-"));
        }
        let response = request.call().map_err(text)?;
        let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
        // A server may send the whole file all the same.
        let goes_on = range.is_some_and(|range| range.starts_with(&format!("bytes {begun}-")));
        let begun = if goes_on { begun } else { 0 };
        let mut options = OpenOptions::new();
        let mut file =
            options.create(true).write(true).append(goes_on).truncate(!goes_on).open(&self.partial).map_err(text)?;
        self.bar.set_position(begun);
        // One byte too many tells another file; more are not wanted.
        let body = response.into_body().into_reader().take(self.file.length - begun + 1);
        let copied = io::copy(&mut self.bar.wrap_read(body), &mut file);
        file.sync_all().map_err(text)?;
        let (now, length) = (self.begun(), self.file.length);
        match copied {
            Err(error) => Err(format!("broke off after {now} of {length} bytes ({error})")),
            Ok(_) if now < length => Err(format!("ended after {now} of {length} bytes")),
            Ok(_) => Ok(()),
        }
    }

    /// Gives the complete file its name.
    fn keep(&self, path: &Path, folder: &Path) -> mlp_parity::Result<()> {
        File::open(&self.partial)
            .and_then(|file| file.sync_all())
            .map_err(mlp_parity::Error::io("sync", &self.partial))?;
        fs::rename(&self.partial, path).map_err(mlp_parity::Error::io("write", path))?;
        sync_folder(folder).map_err(mlp_parity::Error::io("sync", folder))
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;

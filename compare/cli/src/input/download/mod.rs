//! Downloads of published files, verified by length and SHA-256 digest. An incomplete download is kept as
//! `NAME.partial`, and the next attempt resumes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use mlp_parity::mnist::PublishedFile;
use mlp_parity::storage::{ensure_writable_folder, read_file, sync_folder};
use ureq::Agent;

use crate::error::Result;

/// Minimum transfer rate in bytes per second. A server that is slower for as long as it may be silent is given up.
const MIN_RATE: f64 = 1000.0;

/// The servers to download from.
pub(crate) struct Mirrors<'a> {
    /// Base URLs of the mirrors that host the files, in order of preference.
    pub(crate) urls: &'a [String],
    /// Timeout for connecting to a server, and for each pause in its response; also the time over which its transfer
    /// rate is measured.
    pub(crate) silence: Duration,
}

impl Mirrors<'_> {
    /// Downloads a file into `folder`, unless a valid copy is already there, and shows the progress on `bar`.
    ///
    /// # Errors
    ///
    /// If the file cannot be downloaded from any mirror (the message lists what failed at each), or the folder cannot
    /// be written.
    pub(crate) fn fetch(&self, file: &PublishedFile, folder: &Path, bar: &ProgressBar) -> Result<()> {
        let path = folder.join(file.name);
        if read_file(&path, file.length).is_ok_and(|bytes| file.matches(&bytes)) {
            return Ok(());
        }
        ensure_writable_folder(folder)?;
        let partial = folder.join(format!("{}.partial", file.name));
        // A link could lead to any file, which must not be overwritten; a device or a pipe may be endless.
        if fs::symlink_metadata(&partial).is_ok_and(|found| !found.is_file()) {
            let error = io::Error::other("not a regular file; remove it to download the data set");
            return Err(mlp_parity::Error::io("write", &partial)(error).into());
        }
        let agent: Agent = Agent::config_builder()
            .timeout_resolve(Some(self.silence))
            .timeout_connect(Some(self.silence))
            .timeout_recv_response(Some(self.silence))
            .timeout_per_read(Some(self.silence))
            .build()
            .into();
        let fetch = Fetch { file, partial, agent, silence: self.silence, bar };
        let mut reasons = Vec::new();
        for mirror in self.urls {
            let url = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
            let resumed = fetch.received_bytes() > 0;
            let mut fetched = fetch.fetch(&url);
            if fetched.is_err() && resumed && fetch.received_bytes() == 0 {
                // `fetch` has removed the partial file as invalid. The bytes of the earlier download may be at fault,
                // so download the whole file once more.
                fetched = fetch.fetch(&url);
            }
            match fetched {
                Ok(()) => return Ok(fetch.finish(&path, folder)?),
                Err(reason) => reasons.push(format!("{url}: {reason}")),
            }
        }
        let reason = format!("cannot be downloaded ({}); use --mirror URL to try another server", reasons.join("; "));
        Err(mlp_parity::Error::data(file.name, reason).into())
    }
}

/// One file that is being downloaded.
struct Fetch<'a> {
    file: &'a PublishedFile,
    /// Path of the incomplete file.
    partial: PathBuf,
    agent: Agent,
    silence: Duration,
    bar: &'a ProgressBar,
}

impl Fetch<'_> {
    /// Returns the length of the partial file, 0 if there is none.
    fn received_bytes(&self) -> u64 {
        fs::metadata(&self.partial).map_or(0, |file| file.len())
    }

    /// Downloads the bytes that the partial file lacks, and verifies the whole file. Removes the partial file if it
    /// differs from the published one.
    fn fetch(&self, url: &str) -> Result<(), String> {
        if self.received_bytes() < self.file.length {
            self.receive(url)?;
        }
        let length = self.file.length;
        if self.received_bytes() == length && self.file.matches(&read_file(&self.partial, length).map_err(text)?) {
            return Ok(());
        }
        fs::remove_file(&self.partial).map_err(text)?;
        Err(format!("the content differs from the published file (expected SHA-256 {})", self.file.sha256))
    }

    /// Requests the bytes that follow those of the partial file, and appends them. If the server ignores the requested
    /// range, replaces the partial file by the whole file that the server sends.
    fn receive(&self, url: &str) -> Result<(), String> {
        let received = self.received_bytes();
        let mut request = self.agent.get(url);
        if received > 0 {
            request = request.header("Range", format!("bytes={received}-"));
        }
        let response = request.call().map_err(text)?;
        let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
        // A server may ignore the range and send the whole file.
        let resumes = range.is_some_and(|range| range.starts_with(&format!("bytes {received}-")));
        let received = if resumes { received } else { 0 };
        let mut options = OpenOptions::new();
        let mut file =
            options.create(true).write(true).append(resumes).truncate(!resumes).open(&self.partial).map_err(text)?;
        self.bar.set_position(received);
        // One byte more than expected is enough to detect a file that is too long.
        let body = response.into_body().into_reader().take(self.file.length - received + 1);
        let body = MinimumRate { body, silence: self.silence, start: Instant::now(), bytes: 0 };
        let copied = io::copy(&mut self.bar.wrap_read(body), &mut file);
        file.sync_all().map_err(text)?;
        let (received, length) = (self.received_bytes(), self.file.length);
        match copied {
            // The digest decides whether a complete file is valid, however the connection ended.
            Err(error) if received != length => Err(format!("failed after {received} of {length} bytes ({error})")),
            Ok(_) if received < length => Err(format!("connection closed after {received} of {length} bytes")),
            _ => Ok(()),
        }
    }

    /// Ensures that the verified file is stored on disk, and then renames it to its final name.
    fn finish(&self, path: &Path, folder: &Path) -> mlp_parity::Result<()> {
        File::open(&self.partial)
            .and_then(|file| file.sync_all())
            .map_err(mlp_parity::Error::io("sync", &self.partial))?;
        fs::rename(&self.partial, path).map_err(mlp_parity::Error::io("write", path))?;
        sync_folder(folder).map_err(mlp_parity::Error::io("sync", folder))
    }
}

/// The body of a response. Reading fails if it arrives more slowly than [`MIN_RATE`] over a period of `silence`.
struct MinimumRate<R> {
    body: R,
    silence: Duration,
    /// Start of the present period.
    start: Instant,
    /// Number of bytes received in the present period.
    bytes: usize,
}

impl<R: Read> Read for MinimumRate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.body.read(buffer)?;
        self.bytes += read;
        let elapsed = self.start.elapsed();
        if elapsed >= self.silence {
            let rate = self.bytes as f64 / elapsed.as_secs_f64();
            if read > 0 && rate < MIN_RATE {
                let reason = format!("the server sends {rate:.0} bytes per second, less than {MIN_RATE}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
            }
            (self.start, self.bytes) = (Instant::now(), 0);
        }
        Ok(read)
    }
}

/// Returns the message of any error.
fn text(error: impl ToString) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;

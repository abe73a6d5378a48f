//! The data, program version and machine of a record.

use serde::{Deserialize, Serialize};

/// The data set that networks were trained and tested on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// The source: `embedded`, `dir:PATH` for a folder, or the name of a downloaded data set.
    pub source: String,
    /// Digest of the four files that contain the images and labels, so that equal data are recognized under any name.
    pub digest: String,
    /// Number of training images used.
    pub train: usize,
    /// Number of test images used.
    pub test: usize,
}

/// The program version and the machine that produced a result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Environment {
    /// Version of this crate.
    pub version: String,
    /// Git revision that the program was built from, with the suffix `-dirty` if there were uncommitted changes;
    /// `unknown` if it was built outside a repository.
    pub revision: String,
    /// Operating system, such as `linux`.
    pub os: String,
    /// Processor architecture, such as `x86_64`.
    pub arch: String,
    /// Number of threads that the program may use.
    pub threads: usize,
}

impl Environment {
    /// Returns the environment in which this program runs; the program may use `threads` threads.
    pub fn current(threads: usize) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: env!("MLP_PARITY_REVISION").to_owned(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            threads,
        }
    }
}

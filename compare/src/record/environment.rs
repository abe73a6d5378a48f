//! The program, machine and data of a content.

use serde::{Deserialize, Serialize};

/// The data of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// `embedded`, or the folder.
    pub source: String,
    /// Of the four files.
    pub digest: String,
    /// Number of training images used.
    pub train: usize,
    /// Number of test images used.
    pub test: usize,
}

/// Which program ran where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Environment {
    /// The program's version.
    pub version: String,
    /// The commit that it was built from.
    pub revision: String,
    /// The operating system.
    pub os: String,
    /// The processor's architecture.
    pub arch: String,
    /// Threads that the program may use.
    pub threads: usize,
}

impl Environment {
    /// This program, here.
    pub fn here(threads: usize) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: env!("MLP_PARITY_REVISION").to_owned(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            threads,
        }
    }
}

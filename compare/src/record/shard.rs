//! Shards: the jobs of a [reproduction](crate::reproduction), divided into parts that can run on different machines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of `count` parts into which the jobs of a [reproduction](crate::reproduction) are divided, so that they can run
/// on different machines. Displayed and parsed as `index/count`, for example `2/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Number of this shard, from 1 to `count`.
    pub index: usize,
    /// Total number of shards.
    pub count: usize,
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    /// Parses `index/count` with 1 ≤ index ≤ count.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err(format!(
                "invalid shard '{text}'; expected I/N with 1 ≤ I ≤ N, such as 2/4 for the second of four shards"
            )),
        }
    }
}

/// A shard and its number of jobs, from which a reader determines whether all of its records are present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// The shard.
    #[serde(flatten)]
    pub shard: Shard,
    /// Number of jobs in the shard; a complete shard has one record per job.
    pub jobs: usize,
}

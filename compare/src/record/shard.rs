//! Shares of the jobs of a grid.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A share of the jobs of a grid: the `index`-th of `count`, from 1 on. Written `2/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which one.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err(format!("'{text}' is no share; write '1/4' to '4/4' for the four quarters")),
        }
    }
}

/// A share, and how many records it has when it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// Which share.
    #[serde(flatten)]
    pub shard: Shard,
    /// How many jobs it has.
    pub jobs: usize,
}

//! How the learning rate changes from step to step.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The share of the learning rate η that a step takes. T is the number of steps of the run, t = 0 … T − 1 counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// 1
    #[default]
    Constant,
    /// ½ (1 + cos(πt/T)): from 1 down to nearly 0 (Loshchilov and Hutter 2017, equation 5, without restarts).
    Cosine,
    /// From 1/25 up to 1 over the first 30 % of the steps, then down to 1/250,000, both along half a cosine (Smith and
    /// Topin 2018, on the learning rate alone; PyTorch's `OneCycleLR` with its defaults).
    OneCycle,
}

impl Schedule {
    /// Every schedule.
    pub const ALL: [Self; 3] = [Self::Constant, Self::Cosine, Self::OneCycle];

    /// The name in options, records and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Cosine => "cosine",
            Self::OneCycle => "one-cycle",
        }
    }

    /// The share of step `step` of `steps`, the first being 0.
    pub fn share(self, step: usize, steps: usize) -> f64 {
        /// The first share and the last one.
        const ENDS: [f64; 2] = [1.0 / 25.0, 1.0 / 250_000.0];
        /// The part of the run in which it rises.
        const RISING: f64 = 0.3;
        let (step, steps) = (step as f64, steps as f64);
        match self {
            Self::Constant => 1.0,
            Self::Cosine => half_a_cosine(1.0, 0.0, step / steps),
            Self::OneCycle => {
                let (top, last) = (RISING * steps - 1.0, steps - 1.0);
                if step <= top {
                    half_a_cosine(ENDS[0], 1.0, step / top)
                } else {
                    half_a_cosine(1.0, ENDS[1], (step - top) / (last - top))
                }
            }
        }
    }
}

/// From `from` to `to`, as `share` goes from 0 to 1.
fn half_a_cosine(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (PI * share).cos())
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|schedule| schedule.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::configuration("schedule", format!("'{text}' is none of {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for schedule in Schedule::ALL {
            assert_eq!(schedule.to_string().parse::<Schedule>().unwrap(), schedule);
        }
        assert!("linear".parse::<Schedule>().unwrap_err().to_string().contains("one-cycle"));
    }

    /// `CosineAnnealingLR` and `OneCycleLR(cycle_momentum=False)` of PyTorch 2.15 over 20 steps, at some of them.
    #[test]
    fn shares_are_those_of_pytorch() {
        let cosine = [(0, 1.0), (1, 0.9938441702975689), (10, 0.5), (19, 0.006155829702431171)];
        let one_cycle = [
            (0, 0.04),
            (1, 0.1316718427000253),
            (4, 0.9083281572999747),
            (5, 1.0),
            (6, 0.9874640062350873),
            (12, 0.500002),
            (19, 4e-6),
        ];
        for (step, share) in cosine {
            approx::assert_relative_eq!(Schedule::Cosine.share(step, 20), share, max_relative = 1e-12);
        }
        for (step, share) in one_cycle {
            approx::assert_relative_eq!(Schedule::OneCycle.share(step, 20), share, max_relative = 1e-12);
        }
        assert_eq!(Schedule::Constant.share(7, 20), 1.0);
    }

    #[test]
    fn the_shortest_runs_have_a_learning_rate_too() {
        for schedule in Schedule::ALL {
            for steps in 1..12 {
                let shares: Vec<f64> = (0..steps).map(|step| schedule.share(step, steps)).collect();
                assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{schedule}, {steps}: {shares:?}");
            }
        }
    }
}

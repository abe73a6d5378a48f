//! Learning-rate schedules.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Learning-rate schedule: a factor from 0 to 1 that multiplies the learning rate η in each step. A step is one update;
/// t counts the steps of the whole run from 0, and T is their number.
///
/// Parses from its [name](Self::name) in any ASCII case: `"One-Cycle".parse()` gives [`Schedule::OneCycle`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Constant learning rate: the factor is 1.
    #[default]
    Constant,
    /// Cosine annealing without restarts (Loshchilov and Hutter 2017, equation 5): the factor ½ (1 + cos(πt/T)) falls
    /// from 1 to nearly 0. Equivalent to PyTorch's `CosineAnnealingLR` with `T_max` = T, stepped after every update.
    Cosine,
    /// One-cycle schedule of the learning rate (Smith and Topin 2018): the factor rises from 1/25 to 1 over the first
    /// 30 % of the steps, then falls to 1/250,000, each along half a cosine. Equivalent to PyTorch's `OneCycleLR` with
    /// default arguments and `cycle_momentum=False`.
    OneCycle,
}

impl Schedule {
    /// All schedules.
    pub const ALL: [Self; 3] = [Self::Constant, Self::Cosine, Self::OneCycle];

    /// Returns the lower-case name used in options, records and files, such as `one-cycle`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Cosine => "cosine",
            Self::OneCycle => "one-cycle",
        }
    }

    /// Returns the factor, from 0 to 1, by which the learning rate is multiplied in `step` (counted from 0) of a run
    /// with `steps` steps.
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        /// Factor of the first step of a one-cycle schedule.
        const INITIAL: f64 = 1.0 / 25.0;
        /// Factor of the last step of a one-cycle schedule.
        const FINAL: f64 = 1.0 / 250_000.0;
        /// Fraction of a one-cycle run in which the learning rate rises.
        const RISING: f64 = 0.3;
        let (step, steps) = (step as f64, steps as f64);
        match self {
            Self::Constant => 1.0,
            Self::Cosine => half_cosine(1.0, 0.0, step / steps),
            Self::OneCycle => {
                // As in PyTorch, the peak may lie between two steps. In very short runs it lies at or before step 0,
                // and the learning rate only falls.
                let (peak, last) = (RISING * steps - 1.0, steps - 1.0);
                if step <= peak {
                    half_cosine(INITIAL, 1.0, step / peak)
                } else {
                    half_cosine(1.0, FINAL, (step - peak) / (last - peak))
                }
            }
        }
    }
}

/// Interpolates along half a cosine: returns `from` at `progress` 0 and `to` at `progress` 1.
fn half_cosine(from: f64, to: f64, progress: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (PI * progress).cos())
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Schedule {
    type Err = Error;

    /// Parses the name of a schedule. ASCII case is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the name is unknown.
    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|schedule| schedule.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::configuration("schedule", format!("unknown schedule '{name}'; expected one of: {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_parser_reads_every_name() {
        for schedule in Schedule::ALL {
            assert_eq!(schedule.to_string(), schedule.name());
            assert_eq!(schedule.name().parse::<Schedule>().unwrap(), schedule);
        }
    }

    #[test]
    fn schedule_parser_ignores_case_and_display_is_lower_case() {
        for (spelling, schedule) in
            [("CONSTANT", Schedule::Constant), ("Cosine", Schedule::Cosine), ("One-Cycle", Schedule::OneCycle)]
        {
            assert_eq!(spelling.parse::<Schedule>().unwrap(), schedule);
            assert_eq!(schedule.to_string(), spelling.to_ascii_lowercase());
        }
    }

    #[test]
    fn schedule_parser_lists_names_for_unknown_name() {
        for name in ["linear", "", "onecycle", "Linear"] {
            let message = name.parse::<Schedule>().unwrap_err().to_string();
            let expected = format!("schedule: unknown schedule '{name}'; expected one of: constant, cosine, one-cycle");
            assert_eq!(message, expected);
        }
    }

    /// Expected factors of selected steps, from `CosineAnnealingLR` and `OneCycleLR(cycle_momentum=False)` of PyTorch
    /// 2.15 over 20 steps.
    #[test]
    fn schedule_factors_match_pytorch() {
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
        for (step, factor) in cosine {
            approx::assert_relative_eq!(Schedule::Cosine.factor(step, 20), factor, max_relative = 1e-12);
        }
        for (step, factor) in one_cycle {
            approx::assert_relative_eq!(Schedule::OneCycle.factor(step, 20), factor, max_relative = 1e-12);
        }
        assert_eq!(Schedule::Constant.factor(7, 20), 1.0);
    }

    #[test]
    fn schedule_factors_of_short_runs_are_between_zero_and_one() {
        for schedule in Schedule::ALL {
            for steps in 1..12 {
                let factors: Vec<f64> = (0..steps).map(|step| schedule.factor(step, steps)).collect();
                assert!(factors.iter().all(|factor| (0.0..=1.0).contains(factor)), "{schedule}, {steps}: {factors:?}");
            }
        }
    }
}

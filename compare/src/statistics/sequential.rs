//! Group-sequential comparison: seeds are added in groups until the comparison is decided.
//!
//! After each group there is a *look*: the tests of all differences so far. Each further look is another chance of a false
//! decision, so each gets only a part of the level α. A plan for at most N seeds with looks after n₁ < n₂ < … < N seeds spends
//!
//! ```text
//! αₖ = α (nₖ − nₖ₋₁) / N,     Σ αₖ = α
//! ```
//!
//! (alpha spending, in proportion to the seeds; K. K. G. Lan and D. L. DeMets, *Discrete sequential boundaries for clinical
//! trials*, Biometrika 70, 1983). A look whose p value is below αₖ decides. By the union bound, the probability of a false
//! decision in any look is at most α, however the looks depend on each other. Levels from the joint distribution of the looks
//! would need about a seventh fewer seeds, but are exact only for many seeds.

use serde::{Deserialize, Serialize};

use super::levels::{DIFFERENCE_LEVEL, EQUIVALENCE_LEVEL};
use super::paired::Sample;

/// Result of an equivalence test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EquivalenceVerdict {
    /// The accuracies are shown to differ by less than the margin.
    Equivalent,
    /// The accuracies are shown to differ by more than the margin.
    Different,
    /// Neither is shown: there are too few seeds, or the differences vary too much.
    Inconclusive,
}

impl EquivalenceVerdict {
    /// Returns the verdict of the t-tests at `share` of their levels: two one-sided tests for equivalence within `margin`, and
    /// one for a larger difference.
    pub fn of_t_tests(differences: &Sample, margin: f64, share: f64) -> Self {
        if differences.equivalence_p(margin) < share * EQUIVALENCE_LEVEL {
            Self::Equivalent
        } else if differences.difference_p(margin) < share * DIFFERENCE_LEVEL {
            Self::Different
        } else {
            Self::Inconclusive
        }
    }
}

/// A plan of looks: after 5 seeds, and then whenever the number of seeds has doubled, up to a largest number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SequentialPlan {
    max_seeds: usize,
}

impl Default for SequentialPlan {
    /// Returns the plan for at most [`USUAL`](Self::USUAL) seeds.
    fn default() -> Self {
        Self { max_seeds: Self::USUAL }
    }
}

/// The number of seeds of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// A number that is fixed beforehand.
    Fixed(usize),
    /// A number that grows until the comparison is decided.
    Auto(SequentialPlan),
}

impl Seeds {
    /// Returns the number of seeds that are used in any case.
    pub fn fewest(self) -> usize {
        match self {
            Self::Fixed(seeds) => seeds,
            Self::Auto(_) => SequentialPlan::FEWEST,
        }
    }

    /// Returns the largest number of seeds.
    pub fn most(self) -> usize {
        match self {
            Self::Fixed(seeds) => seeds,
            Self::Auto(plan) => plan.max_seeds,
        }
    }

    /// Returns the plan by which seeds are added; `None` if their number is fixed.
    pub fn plan(self) -> Option<SequentialPlan> {
        match self {
            Self::Fixed(_) => None,
            Self::Auto(plan) => Some(plan),
        }
    }
}

/// A look of a [`SequentialPlan`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Number of seeds.
    pub seeds: usize,
    /// Part of the levels that this look spends, from 0 to 1.
    pub share: f64,
}

impl SequentialPlan {
    /// Number of seeds of the first look, the fewest that can decide.
    pub const FEWEST: usize = 5;

    /// Usual largest number of seeds.
    pub const USUAL: usize = 60;

    /// Creates a plan for at most `max_seeds` seeds; `None` if they are fewer than [`FEWEST`](Self::FEWEST).
    pub fn new(max_seeds: usize) -> Option<Self> {
        (max_seeds >= Self::FEWEST).then_some(Self { max_seeds })
    }

    /// Returns the largest number of seeds.
    pub fn max_seeds(self) -> usize {
        self.max_seeds
    }

    /// Returns the looks, in ascending order.
    pub fn looks(self) -> impl Iterator<Item = Look> {
        let max_seeds = self.max_seeds;
        let doubled = move |&seeds: &usize| (seeds < max_seeds).then(|| seeds.saturating_mul(2).min(max_seeds));
        let mut before = 0;
        std::iter::successors(Some(Self::FEWEST), doubled).map(move |seeds| {
            let share = (seeds - before) as f64 / max_seeds as f64;
            before = seeds;
            Look { seeds, share }
        })
    }

    /// Returns the number of seeds of the first look after `seeds` seeds; the largest number if there is none.
    pub fn next_look(self, seeds: usize) -> usize {
        self.looks().map(|look| look.seeds).find(|&look| look > seeds).unwrap_or(self.max_seeds)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};
    use statrs::distribution::{ContinuousCDF, Normal};

    use super::*;

    fn looks(max_seeds: usize) -> Vec<usize> {
        SequentialPlan::new(max_seeds).unwrap().looks().map(|look| look.seeds).collect()
    }

    #[test]
    fn looks_double_and_spend_whole_level() {
        assert_eq!(looks(60), [5, 10, 20, 40, 60]);
        assert_eq!([looks(5), looks(7), looks(10)], [vec![5], vec![5, 7], vec![5, 10]]);
        assert_eq!(SequentialPlan::new(4), None);
        for max_seeds in [5, 7, 60, 100_000] {
            let plan = SequentialPlan::new(max_seeds).unwrap();
            let spent: f64 = plan.looks().map(|look| look.share).sum();
            assert!((spent - 1.0).abs() < 1e-12 && plan.looks().last().unwrap().seeds == max_seeds);
        }
        let plan = SequentialPlan::new(60).unwrap();
        assert_eq!([0, 5, 7, 40, 60, 99].map(|seeds| plan.next_look(seeds)), [5, 10, 10, 60, 60, 60]);
    }

    /// Returns the fractions of 10,000 sequences that end as equivalent and as different, and the mean number of seeds, if the
    /// differences are normal with this mean and standard deviation, in units of the margin.
    fn simulate(mean: f64, deviation: f64, seed: u64) -> [f64; 3] {
        const REPETITIONS: usize = 10_000;
        let plan = SequentialPlan::new(SequentialPlan::USUAL).unwrap();
        let normal = Normal::new(mean, deviation).unwrap();
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || normal.inverse_cdf((f64::from(generator.next_u32()) + 0.5) / 2.0_f64.powi(32));
        let mut sums = [0.0; 3];
        for _ in 0..REPETITIONS {
            let differences: Vec<f64> = (0..plan.max_seeds()).map(|_| draw()).collect();
            let verdicts = plan.looks().map(|Look { seeds, share }| {
                (EquivalenceVerdict::of_t_tests(&Sample::of(&differences[..seeds]), 1.0, share), seeds)
            });
            let last = (EquivalenceVerdict::Inconclusive, plan.max_seeds());
            let (verdict, seeds) =
                verdicts.into_iter().find(|(verdict, _)| *verdict != EquivalenceVerdict::Inconclusive).unwrap_or(last);
            sums[0] += f64::from(u8::from(verdict == EquivalenceVerdict::Equivalent));
            sums[1] += f64::from(u8::from(verdict == EquivalenceVerdict::Different));
            sums[2] += seeds as f64;
        }
        sums.map(|sum| sum / REPETITIONS as f64)
    }

    #[test]
    fn simulated_error_rates_are_at_most_as_stated() {
        println!("σ / margin   false equivalent   false different   equivalent if δ = 0   seeds then");
        for (seed, deviation) in (0..).zip([0.1, 0.3, 1.0, 2.0, 3.0, 10.0]) {
            // At the margin, both verdicts are false.
            let [equivalent, different, _] = simulate(1.0, deviation, seed);
            let [power, false_difference, seeds] = simulate(0.0, deviation, seed + 100);
            println!("{deviation:10}   {equivalent:16.4}   {different:15.4}   {power:19.4}   {seeds:10.1}");
            assert!(equivalent <= EQUIVALENCE_LEVEL, "σ = {deviation}: {equivalent}");
            // A binomial count of 10,000 repetitions exceeds its mean of 10 by 11 with a probability of 0.1 %.
            assert!(different <= DIFFERENCE_LEVEL + 0.0011, "σ = {deviation}: {different}");
            assert!(false_difference <= DIFFERENCE_LEVEL + 0.0011);
        }
        let [power, _, seeds] = simulate(0.0, 0.3, 200);
        assert!(power > 0.99 && seeds < 10.0, "{power} after {seeds} seeds");
        let [_, different, _] = simulate(3.0, 1.0, 201);
        assert!(different > 0.99, "{different}");
    }
}

//! How the cost of training grows with the batch size, the width of the layers, and threads.

use std::fmt;

use mlp_parity::{Dataset, MlpConfig, Parameters, TrainingConfig};

use super::measure::{BenchCandidate, run};
use super::spread::Spread;
use crate::{Candidate, Result};

/// What the dense floor is called among the candidates.
const FLOOR: &str = "dense floor";

/// What grows, the rest being as in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Images in a batch.
    BatchSize,
    /// Units of the first hidden layer; the others are as much smaller as in the report.
    Width,
    /// Threads.
    Threads,
}

impl Axis {
    /// For a reader.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BatchSize => "images in a batch",
            Self::Width => "width of the first hidden layer",
            Self::Threads => "threads",
        }
    }

    /// Where it is measured.
    fn values(self, threads: usize) -> Vec<usize> {
        match self {
            Self::BatchSize => (0..=12).step_by(2).map(|power| 1 << power).collect(),
            Self::Width => (6..=12).map(|power| 1 << power).collect(),
            Self::Threads => (1..=threads).filter(|count| count.is_power_of_two() || *count == threads).collect(),
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What training costs one candidate, or the dense floor, somewhere on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// What grows.
    pub axis: Axis,
    /// How large it is.
    pub at: usize,
    /// Whose cost.
    pub name: String,
    /// For each image.
    pub microseconds: Spread,
}

impl Cost {
    /// Whether nobody is this fast.
    pub fn is_floor(&self) -> bool {
        self.name == FLOOR
    }
}

/// What is measured everywhere.
#[derive(Clone, Copy, Debug)]
pub struct CostSweep<'a> {
    /// Who.
    pub candidates: &'a [Candidate],
    /// The network, where its width does not grow.
    pub config: &'a MlpConfig,
    /// How it is trained, but for the batch size where that grows.
    pub training: &'a TrainingConfig,
    /// The images to train with, and to test with.
    pub sets: [&'a Dataset; 2],
    /// The most threads, and how many there are where they do not grow.
    pub threads: usize,
    /// Rounds that count.
    pub rounds: usize,
}

impl CostSweep<'_> {
    /// The costs everywhere; `None` if `goes_on`, which is asked before each place, ends it.
    ///
    /// # Errors
    ///
    /// As [`run`].
    pub fn costs(&self, mut goes_on: impl FnMut(Axis, usize) -> bool) -> Result<Option<Vec<Cost>>> {
        let mut costs = Vec::new();
        for axis in [Axis::BatchSize, Axis::Width, Axis::Threads] {
            for at in axis.values(self.threads) {
                if !goes_on(axis, at) {
                    return Ok(None);
                }
                self.measure(axis, at, &mut costs)?;
            }
        }
        Ok(Some(costs))
    }

    fn measure(&self, axis: Axis, at: usize, costs: &mut Vec<Cost>) -> Result<()> {
        let Self { config, training, sets: [train, test], .. } = *self;
        let only = |wanted, otherwise| if axis == wanted { at } else { otherwise };
        let threads = only(Axis::Threads, self.threads);
        let batch_size = only(Axis::BatchSize, training.batch_size());
        let first = config.hidden().first().copied().unwrap_or(1);
        let width = only(Axis::Width, first);
        let hidden: Vec<usize> = config.hidden().iter().map(|units| (units * width / first).max(1)).collect();
        let config = MlpConfig::new(config.inputs(), &hidden, config.classes(), config.activation())?;
        let training = TrainingConfig::builder()
            .optimizer(*training.optimizer())
            .learning_rate(training.learning_rate())
            .batch_size(batch_size)
            .epochs(1)
            .seed(training.seed())
            .build()?;
        // So many batches, unless that takes too long or too short.
        let train = train.take((16 * batch_size).clamp(512, 8192).min(train.len()))?;
        let test = test.take(1)?;
        let parameters = Parameters::glorot_uniform(&config, training.seed());
        let candidate = |candidate: &Candidate| {
            let model = candidate.create(&config, &parameters)?;
            Ok(BenchCandidate { identity: candidate.identity().clone(), model, training })
        };
        let bench = on_threads(threads, || {
            let mut candidates = self.candidates.iter().map(candidate).collect::<Result<Vec<_>>>()?;
            run(&mut candidates, [&train, &test], threads, self.rounds, |_| true)
        })?;
        let Some(bench) = bench else { return Ok(()) };
        let cost = |name: String, seconds: Spread| Cost {
            axis,
            at,
            name,
            microseconds: seconds.times(1e6 / train.len() as f64),
        };
        costs.extend(bench.measurements.iter().map(|own| cost(own.identity.to_string(), own.epoch)));
        costs.push(cost(FLOOR.to_owned(), Spread::of([bench.dense_floor])));
        Ok(())
    }
}

/// Does this where rayon has so many threads.
fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_powers_of_two_and_all_threads() {
        assert_eq!(Axis::Threads.values(6), [1, 2, 4, 6]);
        assert_eq!(Axis::Threads.values(1), [1]);
        assert_eq!(Axis::BatchSize.values(2), [1, 4, 16, 64, 256, 1024, 4096]);
        assert_eq!(Axis::Width.values(2), [64, 128, 256, 512, 1024, 2048, 4096]);
    }
}

//! Cost sweeps: training time per image as a function of the batch size, the layer width and the number of threads.

use std::fmt;

use mlp_parity::{Dataset, MlpConfig, Parameters, TrainingConfig};

use super::measure::{BenchCandidate, run};
use super::spread::Spread;
use crate::{Candidate, Result};

/// Name of the [dense floor](super::Bench::dense_floor), a lower bound on the training time, in the results of a sweep.
const DENSE_FLOOR: &str = "dense floor";

/// The quantity that a cost sweep varies, while all others stay constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepAxis {
    /// Number of images per batch.
    BatchSize,
    /// Number of units in the first hidden layer. The other hidden layers are scaled by the same factor.
    Width,
    /// Number of threads.
    Threads,
}

impl SweepAxis {
    /// Returns the label of the axis in figures and progress messages, such as `threads`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BatchSize => "images in a batch",
            Self::Width => "width of the first hidden layer",
            Self::Threads => "threads",
        }
    }

    /// Returns the values at which the cost is measured, in ascending order, given the largest number of threads.
    fn values(self, threads: usize) -> Vec<usize> {
        match self {
            Self::BatchSize => (0..=12).step_by(2).map(|power| 1 << power).collect(),
            Self::Width => (6..=12).map(|power| 1 << power).collect(),
            Self::Threads => (1..=threads).filter(|count| count.is_power_of_two() || *count == threads).collect(),
        }
    }
}

impl fmt::Display for SweepAxis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Training cost of one candidate, or of the [dense floor](super::Bench::dense_floor), at one value of the varied
/// quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The quantity that is varied.
    pub axis: SweepAxis,
    /// The value of that quantity.
    pub value: usize,
    /// Name of the candidate, or `dense floor`.
    pub name: String,
    /// Training time per image, in microseconds.
    pub microseconds: Spread,
}

impl Cost {
    /// Returns true if this is not the cost of a candidate but the [dense floor](super::Bench::dense_floor), the
    /// shortest possible time of an implementation that skips no operation.
    pub fn is_dense_floor(&self) -> bool {
        self.name == DENSE_FLOOR
    }
}

/// A series of speed measurements that varies the batch size, the layer width and the number of threads in turn.
#[derive(Clone, Copy, Debug)]
pub struct CostSweep<'a> {
    /// The implementations.
    pub candidates: &'a [Candidate],
    /// Shape of the network, unless its width is varied.
    pub config: &'a MlpConfig,
    /// The training configuration, unless its batch size is varied. Every measurement trains for one epoch.
    pub training: &'a TrainingConfig,
    /// The training images and the test images.
    pub sets: [&'a Dataset; 2],
    /// Number of threads; if the sweep varies it, the largest number.
    pub threads: usize,
    /// Number of measured rounds per value; a warm-up round comes first.
    pub rounds: usize,
}

impl CostSweep<'_> {
    /// Measures the training time per image of all candidates, varying the batch size, the layer width and the number
    /// of threads in turn.
    ///
    /// `measurement_started` is called before each measurement with the axis and the value.
    ///
    /// # Errors
    ///
    /// The errors of [`run`], and those of creating a network or a data set of the required size.
    pub fn costs(&self, mut measurement_started: impl FnMut(SweepAxis, usize)) -> Result<Vec<Cost>> {
        let mut costs = Vec::new();
        for axis in [SweepAxis::BatchSize, SweepAxis::Width, SweepAxis::Threads] {
            for value in axis.values(self.threads) {
                measurement_started(axis, value);
                self.measure(axis, value, &mut costs)?;
            }
        }
        Ok(costs)
    }

    /// Measures all candidates at one value, and adds their costs and the dense floor to `costs`.
    fn measure(&self, axis: SweepAxis, value: usize, costs: &mut Vec<Cost>) -> Result<()> {
        let Self { config, training, sets: [train, test], .. } = *self;
        let varied = |wanted, constant| if axis == wanted { value } else { constant };
        let threads = varied(SweepAxis::Threads, self.threads);
        let batch_size = varied(SweepAxis::BatchSize, training.batch_size());
        let first = config.hidden().first().copied().unwrap_or(1);
        let width = varied(SweepAxis::Width, first);
        let hidden: Vec<usize> = config.hidden().iter().map(|units| (units * width / first).max(1)).collect();
        let config = MlpConfig::new(config.inputs(), &hidden, config.classes(), config.activation())?;
        let training = TrainingConfig::builder()
            .optimizer(*training.optimizer())
            .learning_rate(training.learning_rate())
            .batch_size(batch_size)
            .epochs(1)
            .seed(training.seed())
            .build()?;
        // 16 batches are enough for a stable time, within limits for tiny and for huge batches.
        let train = train.take((16 * batch_size).clamp(512, 8192).min(train.len()))?;
        let test = test.take(1)?;
        let parameters = Parameters::glorot_uniform(&config, training.seed());
        let candidate = |candidate: &Candidate| {
            let model = candidate.create(&config, &parameters)?;
            Ok(BenchCandidate { identity: candidate.identity().clone(), model, training })
        };
        let bench = with_threads(threads, || {
            let mut candidates = self.candidates.iter().map(candidate).collect::<Result<Vec<_>>>()?;
            run(&mut candidates, [&train, &test], threads, self.rounds, |_| ())
        })?;
        let cost = |name: String, seconds: Spread| Cost {
            axis,
            value,
            name,
            microseconds: seconds.scaled(1e6 / train.len() as f64),
        };
        costs.extend(
            bench.measurements.iter().map(|measurement| cost(measurement.identity.to_string(), measurement.epoch)),
        );
        costs.push(cost(DENSE_FLOOR.to_owned(), Spread::of([bench.dense_floor])));
        Ok(())
    }
}

/// Runs `work` in a rayon thread pool with this many threads, or in the default pool if none can be created.
fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweep_axis_values_are_powers_of_two_and_all_threads() {
        assert_eq!(SweepAxis::Threads.values(6), [1, 2, 4, 6]);
        assert_eq!(SweepAxis::Threads.values(1), [1]);
        assert_eq!(SweepAxis::BatchSize.values(2), [1, 4, 16, 64, 256, 1024, 4096]);
        assert_eq!(SweepAxis::Width.values(2), [64, 128, 256, 512, 1024, 2048, 4096]);
    }
}

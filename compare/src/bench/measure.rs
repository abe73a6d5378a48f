//! Speed measurement in rounds, and the statistics of all rounds.

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use mlp_parity::{Dataset, Differentiable, MlpConfig, TrainingConfig};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use statrs::statistics::{Data, OrderStatistics};

use super::machine::{peak_memory, processor};
use super::spread::Spread;
use crate::{Error, Identity, Result};

/// Duration of the measurement of the matrix-product rate in each round.
const PRODUCT_DURATION: Duration = Duration::from_millis(100);

/// Number of images that are classified one at a time in each round, to measure the latency.
const LATENCY_IMAGES: usize = 100;

/// Returns the number of floating-point operations in one epoch of training on `images` images, if none is skipped.
///
/// The multiplications and additions of the matrix products are counted: the forward pass, the gradients of all
/// weights, and the gradients of the inputs of all layers except the first. For layers with wₗ weights this is
/// 2·images·(3·Σwₗ−w₁).
pub fn operations_per_epoch(config: &MlpConfig, images: usize) -> f64 {
    let weights: Vec<usize> = config.sizes().windows(2).map(|pair| pair[0] * pair[1]).collect();
    let all = weights.iter().sum::<usize>();
    let products = 3 * all - weights.first().copied().unwrap_or(0);
    2.0 * images as f64 * products as f64
}

/// Times of one candidate, in seconds, and quantities derived from them. Every [`Spread`] is over the measured rounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// The candidate.
    #[serde(flatten)]
    pub identity: Identity,
    /// Number of images per batch.
    pub batch_size: usize,
    /// Time of one epoch of training.
    pub epoch: Spread,
    /// Time of evaluating the network on all test images: predictions, accuracy and loss.
    pub inference: Spread,
    /// Time of classifying a single image: per round, the median of up to 100 images.
    pub latency: Spread,
    /// Training images per second, from the median epoch.
    pub images_per_second: f64,
    /// Rate of training in 10⁹ floating-point operations per second, from the median epoch and
    /// [`operations_per_epoch`]. Operations that the implementation skips, such as those with zero pixels, count as
    /// done.
    pub gflops: f64,
    /// Time of an epoch divided by the [dense floor](Bench::dense_floor). Below 1 if the implementation skips
    /// operations.
    pub ratio_to_floor: Spread,
    /// Time of an epoch divided by that of the first candidate with the same batch size in the same round.
    pub ratio_to_first: Spread,
}

/// The results of a speed measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bench {
    /// Rate of a dense matrix product in 10⁹ floating-point operations per second, summed over all threads; one value
    /// per round, including the warm-up.
    pub product_gflops: Spread,
    /// Time of one epoch in seconds if all its operations ran at the largest rate of the matrix product: a lower bound
    /// for implementations that skip no operation.
    pub dense_floor: f64,
    /// One measurement per candidate, in the order in which the candidates were given.
    pub measurements: Vec<Measurement>,
    /// Peak memory of the process in bytes; `None` if the operating system does not report it.
    pub peak_memory: Option<u64>,
    /// Model name of the processor; `None` if the operating system does not report it.
    pub processor: Option<String>,
}

impl Bench {
    /// Returns true if every ratio varies little enough from round to round to be reported; see
    /// [`Spread::stable_median`].
    pub fn is_stable(&self) -> bool {
        let ratios =
            self.measurements.iter().flat_map(|measurement| [measurement.ratio_to_floor, measurement.ratio_to_first]);
        ratios.map(|ratio| ratio.stable_median()).all(|ratio| ratio.is_some())
    }
}

/// A network whose speed is measured.
pub struct BenchCandidate {
    /// The implementation.
    pub identity: Identity,
    /// The network.
    pub model: Box<dyn Differentiable>,
    /// The training configuration. Each round trains for all of its epochs, so it should have only one.
    pub training: TrainingConfig,
}

/// Measured times of one candidate in seconds, one entry per round.
#[derive(Default)]
struct Times {
    epoch: Vec<f64>,
    inference: Vec<f64>,
    latency: Vec<f64>,
}

/// Measures the speed of all candidates on these training and test images, in one warm-up round and `rounds` measured
/// ones.
///
/// `threads` is the number of threads that the candidates use; the matrix product for the dense floor runs on as many.
/// `round_started` is called before each round with its number, 0 for the warm-up. Without candidates, the dense floor is
/// 0.
///
/// # Errors
///
/// [`Error::Run`] with the first error that a candidate returns; [`mlp_parity::Error::Io`] if the system does not start
/// the threads for the matrix product.
pub fn run(
    candidates: &mut [BenchCandidate],
    [train, test]: [&Dataset; 2],
    threads: usize,
    rounds: usize,
    mut round_started: impl FnMut(usize),
) -> Result<Bench> {
    let first = candidates.first();
    let operations = first.map_or(0.0, |first| operations_per_epoch(first.model.config(), train.len()));
    let mut rates = Vec::new();
    let mut times: Vec<Times> = candidates.iter().map(|_| Times::default()).collect();
    for round in 0..=rounds {
        round_started(round);
        let cannot_start = mlp_parity::Error::io("start", Path::new("a thread"));
        rates.push(product_rate(threads).map_err(cannot_start)?);
        for (candidate, times) in candidates.iter_mut().zip(&mut times) {
            candidate.measure_round(train, test, times)?;
            if round == 0 {
                // The warm-up round does not count.
                *times = Times::default();
            }
        }
    }
    // The best round is the least disturbed one.
    let rate = rates.iter().copied().fold(0.0, f64::max);
    let dense_floor = operations / rate / 1e9;
    let mut measurements: Vec<Measurement> = Vec::new();
    for (candidate, times_of_candidate) in candidates.iter().zip(&times) {
        let batch_size = candidate.training.batch_size();
        let first = candidates.iter().position(|other| other.training.batch_size() == batch_size).unwrap_or(0);
        let Times { epoch: epoch_times, inference, latency } = times_of_candidate;
        let epoch = Spread::of(epoch_times.iter().copied());
        measurements.push(Measurement {
            identity: candidate.identity.clone(),
            batch_size,
            epoch,
            inference: Spread::of(inference.iter().copied()),
            latency: Spread::of(latency.iter().copied()),
            images_per_second: train.len() as f64 / epoch.median,
            gflops: operations / epoch.median / 1e9,
            ratio_to_floor: Spread::of(epoch_times.iter().map(|time| time / dense_floor)),
            ratio_to_first: Spread::of(epoch_times.iter().zip(&times[first].epoch).map(|(time, first)| time / first)),
        });
    }
    let product_gflops = Spread::of(rates);
    let (peak_memory, processor) = (peak_memory(), processor());
    Ok(Bench { product_gflops, dense_floor, measurements, peak_memory, processor })
}

impl BenchCandidate {
    /// Trains, tests and classifies single images once, and appends the times to `times`.
    fn measure_round(&mut self, train: &Dataset, test: &Dataset, times: &mut Times) -> Result<()> {
        let candidate = self.identity.to_string();
        let failed = |source| Error::Run { candidate: candidate.clone(), training: "bench".to_owned(), source };
        let history = self.model.fit(train, &self.training, &mut ()).map_err(failed)?;
        times.epoch.extend(history.epochs.iter().map(|epoch| epoch.seconds));
        let start = Instant::now();
        let evaluation = self.model.evaluate(test).map_err(failed)?;
        times.inference.push(start.elapsed().as_secs_f64());
        evaluation.check(self.model.config().classes(), test).map_err(failed)?;
        let mut single_images = Vec::new();
        for index in 0..LATENCY_IMAGES.min(test.len()) {
            let image = test.batch(&[index]);
            let start = Instant::now();
            self.model.predict(image.images()).map_err(failed)?;
            single_images.push(start.elapsed().as_secs_f64());
        }
        times.latency.push(Data::new(single_images).median());
        Ok(())
    }
}

/// Measures the rate of a dense single-precision matrix product with the best kernel of this machine, on all threads at
/// once. Returns the sum over the threads in 10⁹ operations per second.
///
/// # Errors
///
/// The error of the operating system if it does not start the threads.
fn product_rate(threads: usize) -> io::Result<f64> {
    /// Rows and columns of the matrices. Both factors and the result together have 3 MB and fit the caches; a power of
    /// two leaves no remainder in any kernel.
    const SIZE: usize = 512;
    let measure_thread = || {
        let factor = Array2::<f32>::from_elem([SIZE, SIZE], 0.5);
        let mut result = Array2::zeros([SIZE, SIZE]);
        let start = Instant::now();
        let mut best = f64::INFINITY;
        while start.elapsed() < PRODUCT_DURATION {
            let start = Instant::now();
            mlp_parity_scratch::kernels::product(factor.view(), factor.view(), result.view_mut());
            best = best.min(start.elapsed().as_secs_f64());
        }
        2.0 * (SIZE as f64).powi(3) / best / 1e9
    };
    thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, measure_thread);
        let others = (1..threads).map(start).collect::<io::Result<Vec<_>>>()?;
        let own = measure_thread();
        Ok(others.into_iter().filter_map(|thread| thread.join().ok()).sum::<f64>() + own)
    })
}

#[cfg(test)]
mod tests {
    use mlp_parity::Activation;

    use super::*;

    #[test]
    fn operations_per_epoch_counts_all_products() {
        // Forward pass and weight gradients of 3 × 4 and 4 × 2 weights, input gradients of the second layer only.
        let config = MlpConfig::new(3, &[4], 2, Activation::Relu).unwrap();
        assert_eq!(operations_per_epoch(&config, 10), 2.0 * 10.0 * f64::from(2 * 12 + 3 * 8));
        let report = MlpConfig::new(784, &MlpConfig::REPORT_HIDDEN, 10, Activation::Relu).unwrap();
        assert_eq!(operations_per_epoch(&report, 60_000), 148.44e9);
    }
}

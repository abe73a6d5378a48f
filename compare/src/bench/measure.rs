//! Measurement in rounds, and the figures of all rounds.

use std::time::{Duration, Instant};

use mlp_parity::{Dataset, Differentiable, MlpConfig, TrainingConfig};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use statrs::statistics::{Data, OrderStatistics};

use super::machine::{peak_memory, processor};
use super::spread::Spread;
use crate::{Error, Identity, Result};

/// How long the rate of the matrix product is measured in each round.
const PRODUCT_TIME: Duration = Duration::from_millis(100);

/// Images that are classified one by one in each round.
const ALONE: usize = 100;

/// Operations, multiplications and additions, of one epoch without leaving any out: forward pass, gradients of the weights,
/// and gradients of the inputs of all layers but the first.
pub fn operations(config: &MlpConfig, images: usize) -> f64 {
    let weights: Vec<usize> = config.sizes().windows(2).map(|pair| pair[0] * pair[1]).collect();
    let all = weights.iter().sum::<usize>();
    let products = 3 * all - weights.first().copied().unwrap_or(0);
    2.0 * images as f64 * products as f64
}

/// What one candidate took, in seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// Who.
    #[serde(flatten)]
    pub identity: Identity,
    /// Images in a batch.
    pub batch_size: usize,
    /// For an epoch of training.
    pub epoch: Spread,
    /// For all test images together.
    pub inference: Spread,
    /// For one image.
    pub latency: Spread,
    /// Images trained in a second, from the median.
    pub images_per_second: f64,
    /// 10⁹ operations in a second, counted as if none were left out.
    pub gflops: f64,
    /// Time as a multiple of the dense floor, by rounds.
    pub ratio_to_floor: Spread,
    /// Time as a multiple of the first candidate's, by rounds.
    pub ratio_to_first: Spread,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bench {
    /// The best rate of a dense matrix product, in 10⁹ operations in a second, on all threads together.
    pub product_gflops: Spread,
    /// Seconds that an epoch takes at that rate: what no implementation can be faster than that leaves nothing out.
    pub dense_floor: f64,
    /// By batch size, in the order of the candidates.
    pub measurements: Vec<Measurement>,
    /// The most memory that the program has had at once, in bytes, where the system tells it.
    pub peak_memory: Option<u64>,
    /// What the processor is called, where the system tells it.
    pub processor: Option<String>,
}

impl Bench {
    /// Whether every ratio can be stated.
    pub fn is_steady(&self) -> bool {
        let ratios =
            self.measurements.iter().flat_map(|measurement| [measurement.ratio_to_floor, measurement.ratio_to_first]);
        ratios.map(|ratio| ratio.steady()).all(|ratio| ratio.is_some())
    }
}

/// Who is measured.
pub struct BenchCandidate {
    /// Who it is.
    pub identity: Identity,
    /// It, for a batch of a size of its own.
    pub model: Box<dyn Differentiable>,
    /// How it is trained, one epoch in each round.
    pub training: TrainingConfig,
}

/// Times of one candidate, by rounds.
#[derive(Default)]
struct Times {
    epoch: Vec<f64>,
    inference: Vec<f64>,
    latency: Vec<f64>,
}

/// Measures all candidates on these images, on so many threads; after a round that is not counted, in so many rounds.
/// `goes_on` is asked before each, with its number.
///
/// # Errors
///
/// [`Error::Run`] with what a candidate reports.
pub fn run(
    candidates: &mut [BenchCandidate],
    [train, test]: [&Dataset; 2],
    threads: usize,
    rounds: usize,
    mut goes_on: impl FnMut(usize) -> bool,
) -> Result<Option<Bench>> {
    let Some(first) = candidates.first() else { return Ok(None) };
    let operations = operations(first.model.config(), train.len());
    let mut rates = Vec::new();
    let mut times: Vec<Times> = candidates.iter().map(|_| Times::default()).collect();
    for round in 0..=rounds {
        if !goes_on(round) {
            return Ok(None);
        }
        rates.push(product_rate(threads));
        for (candidate, times) in candidates.iter_mut().zip(&mut times) {
            candidate.run(train, test, times)?;
            if round == 0 {
                *times = Times::default();
            }
        }
    }
    let rate = rates.iter().copied().fold(0.0, f64::max);
    let dense_floor = operations / rate / 1e9;
    let mut measurements: Vec<Measurement> = Vec::new();
    for (candidate, own) in candidates.iter().zip(&times) {
        let batch_size = candidate.training.batch_size();
        let first = candidates.iter().position(|other| other.training.batch_size() == batch_size).unwrap_or(0);
        let epoch = Spread::of(own.epoch.iter().copied());
        measurements.push(Measurement {
            identity: candidate.identity.clone(),
            batch_size,
            epoch,
            inference: Spread::of(own.inference.iter().copied()),
            latency: Spread::of(own.latency.iter().copied()),
            images_per_second: train.len() as f64 / epoch.median,
            gflops: operations / epoch.median / 1e9,
            ratio_to_floor: Spread::of(own.epoch.iter().map(|time| time / dense_floor)),
            ratio_to_first: Spread::of(own.epoch.iter().zip(&times[first].epoch).map(|(own, first)| own / first)),
        });
    }
    let product_gflops = Spread::of(rates);
    let (peak_memory, processor) = (peak_memory(), processor());
    Ok(Some(Bench { product_gflops, dense_floor, measurements, peak_memory, processor }))
}

impl BenchCandidate {
    fn run(&mut self, train: &Dataset, test: &Dataset, times: &mut Times) -> Result<()> {
        let candidate = self.identity.to_string();
        let failed = |source| Error::Run { candidate: candidate.clone(), training: "bench".to_owned(), source };
        let history = self.model.fit(train, &self.training, &mut ()).map_err(failed)?;
        times.epoch.extend(history.epochs.iter().map(|epoch| epoch.seconds));
        let start = Instant::now();
        self.model.evaluate(test).map_err(failed)?;
        times.inference.push(start.elapsed().as_secs_f64());
        let mut alone = Vec::new();
        for index in 0..ALONE.min(test.len()) {
            let image = test.batch(&[index]);
            let start = Instant::now();
            self.model.predict(image.images()).map_err(failed)?;
            alone.push(start.elapsed().as_secs_f64());
        }
        times.latency.push(Data::new(alone).median());
        Ok(())
    }
}

/// 10⁹ operations in a second of a dense product by the best library that there is here, on every thread at once.
fn product_rate(threads: usize) -> f64 {
    /// The factors and the result, 3 MB, fit the level 2 and 3 caches, and their size is kind to every kernel.
    const SIZE: usize = 512;
    let rate_of_one = || {
        let factor = Array2::<f32>::from_elem([SIZE, SIZE], 0.5);
        let mut result = Array2::zeros([SIZE, SIZE]);
        let start = Instant::now();
        let mut best = f64::INFINITY;
        while start.elapsed() < PRODUCT_TIME {
            let start = Instant::now();
            mlp_parity_scratch::kernels::product(factor.view(), factor.view(), result.view_mut());
            best = best.min(start.elapsed().as_secs_f64());
        }
        2.0 * (SIZE as f64).powi(3) / best / 1e9
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(rate_of_one)).collect();
        let own = rate_of_one();
        others.into_iter().filter_map(|thread| thread.join().ok()).sum::<f64>() + own
    })
}

#[cfg(test)]
mod tests {
    use mlp_parity::Activation;

    use super::*;

    #[test]
    fn operations_are_those_of_the_products() {
        // Forward and both gradients of 3 × 4 and 4 × 2 weights, but none for the images.
        let config = MlpConfig::new(3, &[4], 2, Activation::Relu).unwrap();
        assert_eq!(operations(&config, 10), 2.0 * 10.0 * f64::from(2 * 12 + 3 * 8));
        let report = MlpConfig::new(784, &MlpConfig::REPORT_HIDDEN, 10, Activation::Relu).unwrap();
        assert_eq!(operations(&report, 60_000), 148.44e9);
    }
}

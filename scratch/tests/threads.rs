//! Reproducibility: results are bit-for-bit identical on any number of threads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::{Activation, Classifier, Dataset, Differentiable, MlpConfig, Optimizer, Parameters, TrainingConfig};
use mlp_parity_scratch::Mlp;
use ndarray::Array2;

/// Trains for two epochs of three batches on images in which one pixel in `every` is non-zero. Returns the parameters,
/// and the probabilities of the training images.
fn train(threads: usize, every: usize, optimizer: Optimizer) -> (Parameters<f32>, Array2<f32>) {
    let pixels = (0..200 * 300).map(|pixel| if pixel % every == 0 { (pixel * 37 % 251 + 1) as u8 } else { 0 });
    let labels = (0..200).map(|image| image % 10).collect();
    let data = Dataset::new(pixels.collect(), labels, [15, 20], 10).unwrap();
    let config = MlpConfig::new(300, &[290, 130], 10, Activation::Tanh).unwrap();
    let mut network = Mlp::new(config.clone(), &Parameters::glorot_uniform(&config, 0)).unwrap().with_threads(threads);
    let training = TrainingConfig::builder().optimizer(optimizer).batch_size(90).epochs(2).build().unwrap();
    network.fit(&data, &training, &mut ()).unwrap();
    let all: Vec<usize> = (0..data.len()).collect();
    (network.parameters().unwrap(), network.predict_probabilities(data.batch(&all).images()).unwrap())
}

#[test]
fn training_is_independent_of_thread_count() {
    for every in [1, 7] {
        for optimizer in [Optimizer::sgd(), Optimizer::adam().with_weight_decay(1e-4)] {
            let single_threaded = train(1, every, optimizer);
            for threads in [2, 4, 100] {
                assert!(
                    train(threads, every, optimizer) == single_threaded,
                    "{optimizer}: {threads} threads change the result"
                );
            }
        }
    }
}

#[test]
fn concurrent_clones_compute_identical_logits() {
    let config = MlpConfig::new(4, &[130], 2, Activation::Relu).unwrap();
    let network = Mlp::new(config.clone(), &Parameters::glorot_uniform(&config, 0)).unwrap().with_threads(3);
    let images = Array2::from_elem([5, 4], 0.5_f32);
    let expected = network.logits(images.view()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let clone = network.clone();
            let (images, expected) = (&images, &expected);
            scope.spawn(move || (0..100).for_each(|_| assert_eq!(&clone.logits(images.view()).unwrap(), expected)));
        }
    });
}

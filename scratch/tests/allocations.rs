//! Memory allocation: after the first batch, a training step allocates nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::{Activation, Classifier, Dataset, MlpConfig, Optimizer, Parameters, TrainingConfig};
use mlp_parity_scratch::Mlp;

/// Counts the memory allocations during one epoch of `batches` batches.
fn allocations(optimizer: Optimizer, batches: u8) -> u64 {
    let images = 64 * usize::from(batches);
    let pixels = (0..images * 100).map(|pixel| (pixel % 251) as u8).collect();
    let labels = (0..images).map(|label| label % 10).collect();
    let data = Dataset::new(pixels, labels, [10, 10], 10).unwrap();
    let config = MlpConfig::new(100, &[50, 30], 10, Activation::Relu).unwrap();
    let mut network = Mlp::new(config.clone(), &Parameters::glorot_uniform(&config, 0)).unwrap();
    let training = TrainingConfig::builder().optimizer(optimizer).batch_size(64).epochs(1).build().unwrap();
    allocation_counter::measure(|| {
        network.fit(&data, &training, &mut ()).unwrap();
    })
    .count_total
}

#[test]
fn training_allocates_nothing_after_first_step() {
    for optimizer in [Optimizer::sgd(), Optimizer::adam().with_weight_decay(1e-4)] {
        // Warm-up: allocations that happen once per thread or process are counted here and not below.
        let first = allocations(optimizer, 1);
        assert!(first > 0, "the allocation counter does not work");
        assert_eq!(
            allocations(optimizer, 9),
            allocations(optimizer, 1),
            "{optimizer}: the eight steps after the first allocate memory"
        );
    }
}

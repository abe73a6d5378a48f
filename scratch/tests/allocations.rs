//! Training allocates nothing once it has seen a batch, but for what the `gemm` crate allocates in each product: room for
//! the packed factor, and a list of what is packed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::{Activation, Classifier, Dataset, MlpConfig, Optimizer, Parameters, TrainingConfig};
use mlp_parity_scratch::Mlp;

/// Three layers: a forward product and a weight gradient for each, and two products on the way down.
const PRODUCTS: u64 = 3 + 3 + 2;
const ALLOCATIONS_OF_A_PRODUCT: u64 = 2;

/// Allocations of one epoch in this many batches.
fn allocations(optimizer: Optimizer, batches: u8) -> u64 {
    let images = 64 * usize::from(batches);
    let pixels = (0..images * 100).map(|pixel| (pixel % 251) as u8).collect();
    let labels = (0..images).map(|label| (label % 10) as u8).collect();
    let data = Dataset::new(pixels, labels, [10, 10]).unwrap();
    let config = MlpConfig::new(100, &[50, 30], 10, Activation::Relu).unwrap();
    let mut network = Mlp::new(config.clone(), Parameters::glorot_uniform(&config, 0)).unwrap();
    let plan = TrainingConfig::new(optimizer, 0.01, 64, 1, 0).unwrap();
    allocation_counter::measure(|| {
        network.fit(&data, &plan, &mut ()).unwrap();
    })
    .count_total
}

#[test]
fn a_step_allocates_nothing_of_its_own_after_the_first() {
    for optimizer in [Optimizer::Sgd { weight_decay: 0.0 }, Optimizer::adam(1e-4)] {
        // What the thread makes once, it has made after this.
        allocations(optimizer, 1);
        let further = allocations(optimizer, 9) - allocations(optimizer, 1);
        assert!(further <= 8 * PRODUCTS * ALLOCATIONS_OF_A_PRODUCT, "{optimizer}: {further} in eight steps");
        assert!(further > 0, "the counter counts");
    }
}

//! Training allocates nothing once it has seen a batch, but for what the `gemm` crate allocates in each product: room for
//! the packed factor, and a list of what is packed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "counting what is allocated takes an allocator, and an allocator is unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use mlp_parity::training::BatchReport;
use mlp_parity::{Activation, Classifier, Dataset, MlpConfig, Observer, Optimizer, Parameters, TrainingConfig};
use mlp_parity_scratch::Mlp;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Notes the count at every batch.
struct AtBatches(Vec<usize>);

impl Observer for AtBatches {
    fn batch_ended(&mut self, _: &BatchReport) -> ControlFlow<()> {
        self.0.push(ALLOCATIONS.load(Ordering::Relaxed));
        ControlFlow::Continue(())
    }
}

/// Three layers: a forward product and a weight gradient for each, and two products on the way down.
const PRODUCTS: usize = 3 + 3 + 2;
const ALLOCATIONS_OF_A_PRODUCT: usize = 2;

#[test]
fn a_step_allocates_nothing_of_its_own_after_the_first() {
    let pixels = (0..200 * 100).map(|pixel| (pixel % 251) as u8).collect();
    let data = Dataset::new(pixels, (0..200).map(|label| label % 10).collect(), [10, 10]).unwrap();
    let config = MlpConfig::new(100, &[50, 30], 10, Activation::Relu).unwrap();
    for optimizer in [Optimizer::Sgd { weight_decay: 0.0 }, Optimizer::adam(1e-4)] {
        let mut network = Mlp::new(config.clone(), Parameters::glorot_uniform(&config, 0)).unwrap();
        let plan = TrainingConfig::new(optimizer, 0.01, 64, 1, 0).unwrap();
        let mut counts = AtBatches(Vec::with_capacity(16));
        network.fit(&data, &plan, &mut counts).unwrap();
        assert_eq!(counts.0.len(), 4);
        for step in counts.0.windows(2) {
            assert!(step[1] - step[0] <= PRODUCTS * ALLOCATIONS_OF_A_PRODUCT, "{optimizer}: {:?}", counts.0);
        }
    }
}

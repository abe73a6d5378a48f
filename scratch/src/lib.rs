//! A multi-layer perceptron by hand: as in a textbook, in `f64`, where it is the reference that judges every other
//! implementation; and fast, in `f32`, where it is trained.
//!
//! # The mathematics
//!
//! Rows are images: a batch of m images is A⁰, `[m, inputs]`. Layer l = 1 … L has a weight Wˡ, `[inputs, outputs]`, and
//! a bias bˡ, `[outputs]`; 1 is a column of m ones.
//!
//! Forward ([`ReferenceMlp::logits`]):
//!
//! ```text
//! Zˡ = Aˡ⁻¹ Wˡ + 1 bˡᵀ                                           (1)
//! Aˡ = f(Zˡ)                      for l < L; the logits are Zᴸ   (2)
//! ```
//!
//! Loss: softmax and cross-entropy, the mean over the batch; yᵢ is the label of image i. The largest logit of each
//! row is subtracted before exponentiation, so that nothing overflows:
//!
//! ```text
//! ℒ = 1/m Σᵢ ( ln Σⱼ exp(Zᴸᵢⱼ − μᵢ) + μᵢ − Zᴸᵢ,yᵢ ),   μᵢ = maxⱼ Zᴸᵢⱼ   (3)
//! ```
//!
//! Backward ([`ReferenceMlp::loss_and_gradients`]), with δˡ = ∂ℒ/∂Zˡ. Softmax and cross-entropy together have the simple
//! derivative p − y, p being the probabilities and Y the labels as rows of a unit matrix; ∘ is the element-wise
//! product:
//!
//! ```text
//! δᴸ = (softmax(Zᴸ) − Y) / m                                     (4)
//! ∂ℒ/∂Wˡ = Aˡ⁻¹ᵀ δˡ                                              (5)
//! ∂ℒ/∂bˡ = δˡᵀ 1                                                 (6)
//! δˡ⁻¹ = (δˡ Wˡᵀ) ∘ f′(Zˡ⁻¹)                                     (7)
//! ```
//!
//! f′ is computed from the activation a = f(z), which is at hand, not from z:
//!
//! | f | f′ |
//! |---|---|
//! | sigmoid | a (1 − a) |
//! | ReLU | 1 where a > 0, else 0 |
//! | tanh | 1 − a² |
//! | tanh as printed | 1 − tanh(a)², the report's mistake |
//!
//! Updates: the formulas stand at [`Optimizer`](mlp_parity::Optimizer).
//!
//! # Two implementations
//!
//! [`ReferenceMlp`] is these equations and nothing else, in `f32` or `f64`; in `f64` it is the reference. [`Mlp`] is what is
//! trained: the same mathematics in `f32`, shared out to threads and vector instructions. The formulas of single numbers
//! (f and f′, softmax, updates) stand once, for both. [`Mlp`] implements [`Classifier`](mlp_parity::Classifier) and
//! [`Differentiable`](mlp_parity::Differentiable).
//!
//! # How the fast one is fast
//!
//! All matrices lie in tiles of 64 columns, and every product is made of products of such tiles, which fit the level 1
//! cache. A layer's neurons are shared out to threads in groups of 64; each group owns the weights that go out from its
//! neurons. A sum over the neurons of a layer is made of two parts whatever the number of threads, so that results are the
//! same, to the bit, for any number; of two threads, each multiplies by its own weights in both passes. Threads wait for each
//! other in loops: a layer takes less time than waking one up. One that has lost its processor to another program is left out
//! for a while.
//!
//! The first layer multiplies by the pixels that are not background, which are listed by pairs of neighbours: where one is
//! something the other mostly is too, and what is loaded for it serves both. Where more than 65 % of the pairs of 128
//! neighbouring pixels are something, all are multiplied, in tiles, which is faster from there on.
//!
//! A step of the report's network (784-500-250-100-10, 64 images, 81 % of the pixels background), counted for one core
//! that starts one vector operation of 16 numbers and one load of 64 bytes in a cycle, and one store in two (AMD Zen 4,
//! 3.7 GHz: 118 GFLOP/s):
//!
//! | kernel | vector operations | bytes | what bounds it | measured |
//! |---|---|---|---|---|
//! | layer 1, forward, pairs with something | 0.36 M = 98 µs | for 8 operations 4 loads and 4 stores, in level 1 | operations, and as much stores | 142 µs |
//! | layer 1, gradient, likewise | 0.36 M = 98 µs | for 8 operations 4 loads, in level 1 | operations | 115 µs |
//! | layer 1, update, of every row that some image has | 0.05 M | 1.1 MB read and written, from level 2 and 3: 30 µs | bandwidth | 47 µs |
//! | layers 2–4, forward | 0.60 M = 163 µs | 8 loads in 16 operations | operations | 181 µs |
//! | layers 2–4, gradients of weights, update | 0.60 M = 163 µs | likewise | operations | 196 µs |
//! | layers 2–4, gradients of inputs | 0.60 M = 163 µs | likewise, and each weight once to transpose it | operations | 199 µs |
//! | lists of pairs | | 50 kB from memory, 23 kB to level 2 | one byte in about one cycle: 20 µs | 29 µs |
//!
//! Together 0.74 ms: 0.69 s an epoch on one core, 0.35 s on two. Measured on such a machine, the fastest of several: 0.88 s
//! on one core and 0.47 s on two, 0.69 and 0.73 of the dense floor (all 148 GFLOP of an epoch at the rate of the best
//! matrix product, 116 GFLOP/s a core). Where the difference comes from:
//!
//! - Products of tiles reach 114 to 117 GFLOP/s in the level 1 cache, and 85 to 90 % of that within a step, where their tiles
//!   come from level 2, and the last tile of a layer is not full. The copies that transpose weights take 17 µs.
//! - Sums of the first layer's forward pass are loaded and stored for each pair. In registers, image by image, they would need
//!   lists of their own and twice the loads: on two cores that was no faster. Four neighbours in place of two have 27 % more
//!   operations.
//! - Images in random order come from memory, which is asked for the next batch while this one is listed.
//! - To hand a layer over to a second thread takes 0.24 µs, ten times a step. What else two threads lose are cache lines
//!   that the other core has written: half of the lists (39 µs of both cores together, for 29 of one), half of the partial sums and δ.
//!   Softmax is left to one of them: 5 µs.
//!
//! After ReLU 59 to 75 % of the activations are not zero (measured, at any epoch): a product that skips the others would use
//! each load once, and so be no faster than the dense one.
//!
//! Adam adds 543,000 parameters with two moments, 6.5 MB read and 6.5 MB written, more than the level 2 caches hold, and a
//! root and a division for each: alone, 150 µs a step on one core and 77 on two. Measured: 0.59 s an epoch on two.

mod fast;
mod reference;

pub use fast::{Mlp, kernels};
pub use reference::{Passes, Real, ReferenceMlp};

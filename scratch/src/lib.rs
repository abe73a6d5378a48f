//! A multi-layer perceptron written by hand on [`ndarray`], without a machine-learning framework.
//!
//! The crate implements the same mathematics twice:
//!
//! | type | precision | purpose |
//! |---|---|---|
//! | [`ReferenceMlp`] | `f32`, `f64` | the equations below and nothing else |
//! | [`Mlp`] | `f32` | training and inference with vector instructions, a sparse first layer and a thread pool |
//!
//! In `f64`, [`ReferenceMlp`] is the reference that other implementations are compared with. [`Mlp`] implements
//! [`Classifier`](mlp_parity::Classifier) and [`Differentiable`](mlp_parity::Differentiable). The two share no formula, so
//! that a mistake in one of them shows in the comparison. The reference computes more than the trained network: the
//! activation functions, losses and optimizers that a [`Specification`](reference::Specification) selects.
//!
//! # Mathematics
//!
//! The network has layers l = 1 … L. Layer l has a weight matrix Wˡ of shape `[inputs, outputs]` and a bias bˡ of shape
//! `[outputs]`. The input A⁰, of shape `[images, inputs]`, has one image per row; m is the number of images in the
//! batch, and **1** is a column vector of m ones. The symbol ∘ denotes the element-wise product.
//!
//! **Forward pass** ([`ReferenceMlp::logits`]), with the activation function f of the hidden layers:
//!
//! ```text
//! Zˡ = Aˡ⁻¹ Wˡ + 1 bˡᵀ                                           (1)
//! Aˡ = f(Zˡ)                      for l < L; the logits are Zᴸ   (2)
//! ```
//!
//! **Loss**: the mean cross-entropy of softmax(Zᴸ), where yᵢ is the label of image i. The largest logit μᵢ of each row
//! is subtracted before exponentiation, so that exp cannot overflow (Blanchard, Higham and Higham 2021, "Accurately
//! computing the log-sum-exp and softmax functions"):
//!
//! ```text
//! ℒ = 1/m Σᵢ ( ln Σⱼ exp(Zᴸᵢⱼ − μᵢ) + μᵢ − Zᴸᵢ,yᵢ ),   μᵢ = maxⱼ Zᴸᵢⱼ   (3)
//! ```
//!
//! **Backward pass** ([`ReferenceMlp::loss_and_gradients`]), with δˡ = ∂ℒ/∂Zˡ and the one-hot labels Y, one row per
//! image (Bishop 2006, *Pattern Recognition and Machine Learning*, section 5.3):
//!
//! ```text
//! δᴸ = (softmax(Zᴸ) − Y) / m                                     (4)
//! ∂ℒ/∂Wˡ = Aˡ⁻¹ᵀ δˡ                                              (5)
//! ∂ℒ/∂bˡ = δˡᵀ 1                                                 (6)
//! δˡ⁻¹ = (δˡ Wˡᵀ) ∘ f′(Zˡ⁻¹)                                     (7)
//! ```
//!
//! The derivative f′(z) is computed from the activation a = f(z), which is stored, rather than from z, which is not:
//!
//! | f | f′ |
//! |---|---|
//! | sigmoid | a (1 − a) |
//! | ReLU | 1 if a > 0, else 0 |
//! | tanh | 1 − a² |
//! | tanh as printed | 1 − tanh(a)²: wrong on purpose, as in the published report that the project reproduces |
//!
//! **Updates**: the formulas are in the documentation of [`Optimizer`](mlp_parity::Optimizer).
//!
//! # Design of the fast network
//!
//! - **Memory layout.** Every matrix is stored in tiles of 64 columns, each contiguous. A tile of 64 × 64 `f32` values
//!   occupies 16 KiB and fits in the level 1 cache. All products are composed of products of tiles.
//! - **Threads.** The neurons of a layer are distributed among the threads in tiles of 64. Each tile stores the weights
//!   that lead from its neurons to the next layer. With two threads, each thread multiplies by its own weights in both
//!   passes. Between two layers, the threads wait in a busy loop, because waking a sleeping thread takes longer than
//!   computing a layer. If another program occupies a thread's core, the network uses fewer threads for a while.
//! - **Fixed order of summation.** Each sum over the neurons of a layer is computed as two partial sums, regardless of
//!   the number of threads. The results are therefore bit-for-bit identical for any number of threads.
//! - **Sparse first layer.** The first layer skips background pixels, which are zero. The other pixels are stored in
//!   pairs of neighbours: if one pixel of a pair is non-zero, the other one usually is, too, and the two share loads
//!   and stores. A block of 128 pixels with more than 65 % non-zero pairs is multiplied as a dense matrix, which is
//!   then faster.
//! - **No hidden NaN.** The sparse product skips the terms 0·w, although they are NaN if a weight w is infinite or NaN.
//!   A correction term, which every update maintains, makes the result NaN, as the equations require.
//!
//! # Limits of the fast network
//!
//! - It computes in single precision, on the CPU.
//! - It uses at most one thread per 64 neurons of its widest layer. Layers are padded to a multiple of 64 neurons in
//!   memory, and to a whole number of SIMD vectors in computations.
//! - The clones of a network share one thread pool, which serves one computation at a time. A clone that finds the pool
//!   in use computes on its calling thread instead.
//! - Results are reproducible bit for bit only with the same [instruction set](kernels::instruction_set).
//!
//! # Cost of a training step
//!
//! The table counts the operations of one SGD step of the report's network, 784-500-250-100-10, on a batch of 64 MNIST
//! images, 81 % of whose pixels are background. It assumes one core of an AMD EPYC (Zen 4) at 3.7 GHz, which starts one
//! fused multiply-add of 16 values and one load of 64 bytes in every cycle, and one store in every second cycle: 118
//! GFLOP/s. The last column was measured on such a core. L1 to L3 are the cache levels. Layer 1 multiplies only the
//! non-zero pairs of pixels and updates only the weights that have a gradient.
//!
//! | kernel | vector operations | memory accesses | limited by | measured |
//! |---|---|---|---|---|
//! | layer 1, forward | 0.36 M = 98 µs | 4 loads, 4 stores (L1) per 8 operations | arithmetic, stores | 142 µs |
//! | layer 1, gradient | 0.36 M = 98 µs | 4 loads (L1) per 8 operations | arithmetic | 115 µs |
//! | layer 1, update | 0.05 M | 1.1 MB read and written (L2, L3): 30 µs | bandwidth | 47 µs |
//! | layers 2–4, forward | 0.60 M = 163 µs | 8 loads per 16 operations | arithmetic | 181 µs |
//! | layers 2–4, weight gradients and update | 0.60 M = 163 µs | 8 loads per 16 operations | arithmetic | 196 µs |
//! | layers 2–4, input gradients | 0.60 M = 163 µs | 8 loads per 16 operations, transposition | arithmetic | 199 µs |
//! | lists of non-zero pairs | | 50 kB read (memory), 23 kB written (L2) | 1 byte per cycle: 20 µs | 29 µs |
//!
//! The counted times add up to 0.74 ms per step, which makes 0.69 s for an epoch of 60,000 images on one core and
//! 0.35 s on two. The fastest epochs measured on this machine, with `python tests/golden/peers/side_by_side.py`, take
//! 0.88 s on one core and 0.47 s on two. They are 0.69 and 0.73 times the *dense floor*, the time that the 148 GFLOP of
//! an epoch without skipped pixels would take at the speed of the fastest matrix product, 116 GFLOP/s per core. The
//! measured times exceed the counted ones for these reasons:
//!
//! - Products of tiles reach 114 to 117 GFLOP/s if all operands are in the level 1 cache. Within a step, they reach 85
//!   to 90 % of that, because their operands come from the level 2 cache and the last tile of a layer is not full.
//!   Transposing the weights takes 17 µs.
//! - The forward pass of the first layer loads and stores its sums for each pair. Processing image by image, with the
//!   sums in registers, would need additional lists and twice the loads; on two cores, this was no faster. Groups of
//!   four neighbours instead of pairs would need 27 % more operations.
//! - The images of a shuffled batch come from main memory. They are prefetched while the previous batch is processed.
//! - Handing a task to a second thread takes 0.24 µs and happens ten times per step. Each of two threads also reads
//!   cache lines that the other core has written: half of the lists of non-zero pairs (39 µs on both cores together,
//!   instead of 29 µs on one), half of the partial sums and half of δ. Softmax runs on one thread and takes 5 µs.
//!
//! After ReLU, 59 to 75 % of the activations are non-zero (measured; this holds in every epoch). A product that skips
//! the zeros would use each loaded vector only once, and so would be no faster than the dense product.
//!
//! Adam reads and writes the 543,000 parameters and their two moments, 6.5 MB in total, which exceeds the L2 caches,
//! and computes a square root and a division for each parameter. The update alone takes 150 µs per step on one core and
//! 77 µs on two. The fastest epoch with Adam, measured as above, takes 0.59 s on two cores.

mod fast;
pub mod reference;

pub use fast::{Mlp, kernels};
pub use reference::ReferenceMlp;

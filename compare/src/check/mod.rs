//! Checks whether a candidate computes the network and its training steps correctly. The check suite compares every
//! tensor with a float64 reference, element by element, and accepts only differences that rounding can explain. Its
//! stages are ordered so that the first failed check locates the fault.
//!
//! | stage | compared |
//! |---|---|
//! | [parameters](Stage::Parameters) | parameters that are set and read back, bit by bit |
//! | [logits](Stage::Logits), [loss](Stage::Loss), [gradients](Stage::Gradients) | the forward and backward pass of one batch, and again with large logits; NaN in a bias must reach the logits |
//! | [update](Stage::Update) | `apply_gradients` with given gradients, for every optimizer, three steps each |
//! | [trajectory](Stage::Trajectory) | consecutive calls of `step`, each compared with a reference step from the candidate's own parameters |
//! | [training loop](Stage::TrainingLoop) | `fit`, compared with the same steps taken one by one |
//!
//! A case that [continues a training run](Case::after_training) is checked from the state after it: the parameters and the
//! optimizer state must be restored bit by bit, and the next batches, updates and epochs follow. There, second moments are
//! tiny, the number of steps is large and units are dead, so that other faults show.
//!
//! [`check`](check()) runs the suite for several candidates, and [`check_candidate`] for one network. The functions of
//! [`diagnosis`](crate::diagnosis) explain what disagrees, too. A [`Trace`] contains results that were computed by a program in any language; it declares
//! a [`Specification`](mlp_parity_scratch::reference::Specification), the operations that its network and training consist
//! of. The reference is `mlp_parity_scratch::ReferenceMlp<f64>`.
//!
//! # Error model
//!
//! Two correct implementations differ because they round differently. The error that rounding can explain is therefore
//! computed for every element, alongside its value, from the [`Arithmetic`](mlp_parity::Arithmetic) that the candidate
//! declares. This is a first-order forward error analysis that propagates the variances of the errors.
//!
//! | symbol | meaning |
//! |---|---|
//! | u | unit roundoff; u² is the sum of the squared unit roundoffs of the candidate and the reference |
//! | E²(x) | bound on the variance of the error of x, if rounding errors are independent and have mean zero |
//! | W(x) | worst case: bound on the magnitude of the error of x, whatever the rounding errors are |
//! | K(x) | correlated (common-mode) error of x: a rounding error that may be the same in all images |
//! | D(x) | undecided error of x: bound on a change that does not follow the linear model, such as the other side of ReLU's kink |
//! | e(x) | sampled errors of x |
//! | ρ | rounding error of evaluating a function at an exact argument |
//! | λ | number of standard deviations E by which a random error is bounded |
//! | ∘, ², \|·\| | applied to matrices element by element |
//!
//! **Sums.** Worst-case bounds, γₙ = nu/(1−nu) (N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, SIAM
//! 2002), propagated through the magnitudes of all weights, are useless here: for the report's network, they are
//! several times as large as its largest gradient. However, rounding errors are nearly independent and have mean zero
//! (N. J. Higham and T. Mary, *A new approach to probabilistic rounding error analysis*, SIAM Journal on Scientific
//! Computing 41, 2019), so their variances add up. In a sum of terms tₖ with running sums sₖ, each term and each
//! running sum is rounded:
//!
//! ```text
//! E² = u² ( max( Σₖ sₖ²,  n (S²/3 + T/6) ) + T + S² ),   S = Σ tₖ,  T = Σ tₖ²        (1)
//! ```
//!
//! The sum Σₖ sₖ² is evaluated in the natural order of summation, sampled at 16 places, with the bias added first or
//! last, whichever gives the larger value. Its mean over all orders is n (S²/3 + T/6), where n is the number of nonzero
//! terms. (The simpler expression nT, without S, fails if all terms have the same sign: the running sums then grow like
//! n, not like √n.)
//!
//! **Products** C = A·B inherit the errors of their factors:
//!
//! ```text
//! E²(C) = (1) + E²(A)·B² + A²·E²(B),        squares element by element               (2)
//! W(C)  = (n+1) u |A|·|B| + W(A)·|B| + |A|·W(B),   the worst case                    (3)
//! ```
//!
//! The bound on the error of an element is
//!
//! ```text
//! min( λE + 2K, W ) + D,   λ = √(2 ln(2N/p)) = 8.4                                   (4)
//! ```
//!
//! λ follows from Hoeffding's inequality (1963) and a union bound over [N = 10⁹ comparisons](confidence::COMPARISONS),
//! so that the probability that a correct implementation fails in any of them is [at most p =
//! 10⁻⁶](confidence::FAILURE_PROBABILITY); [`confidence`] contains the derivation.
//!
//! **Correlated errors.** Errors with a common source grow together, so (2) is too small after a bottleneck, or if all
//! weights have the same sign. Therefore eight sets of rounding errors with the variance (1) and random signs (from a
//! fixed seed) are drawn and propagated through the network to first order. If their mean square, averaged over a row,
//! a column or the whole product, exceeds the variance, the variance is inflated to match it:
//!
//! ```text
//! E² ← E² · max( 1, ⟨e²/E²⟩ row, column, all )                                       (5)
//! ```
//!
//! If all images have nearly the same probabilities, they are also rounded in the same way, and in a sum over images
//! their errors add up instead of cancelling. The term K in (4) is such an error of softmax, added linearly over the
//! images.
//!
//! **Activations** a = f(z), with h = min(λE(z), W(z)):
//!
//! ```text
//! E²(a)  = max|f′|² E²(z) + ρ²             over |ζ − z| ≤ h                          (6)
//! E²(f′) = max|f″|² E²(z) + (∂f′/∂a · ρ)² + u²(2f′ + a²)²                            (7)
//! ```
//!
//! A unit with |z − k| ≤ h for a kink k of its activation function, such as 0 for ReLU, is *undecided*: both derivatives are
//! correct, so the magnitude of its whole sum G in (12), times the jump of the derivative, is added to D downstream, and the
//! unit is listed in [`CheckReport::undecided`]. If that makes every bound of a tensor larger than its values, its check is
//! [vacuous](Check::vacuous), and the verdict inconclusive.
//!
//! **Scalar formulas**, those of activation functions, losses and update rules, are written once, for any type of number
//! (`mlp_parity_scratch::reference::Number`). Evaluated with numbers that carry errors, they give the maxima in (6) and (7),
//! the rounding errors ρ, and the derivatives in (17): an operation z = x ∘ y has
//!
//! ```text
//! ∂z = ∂z/∂x ∂x + ∂z/∂y ∂y,   E²(z) = (∂z/∂x)² E²(x) + (∂z/∂y)² E²(y) + ρ²,   ρ = u|z|
//! ```
//!
//! with the gradient ∂ with respect to the inputs of the formula (running error analysis, Higham 2002, section 3.3). Over
//! the radius of an error, a derivative is the largest slope of a secant, and products of two errors are added linearly. The
//! rounding errors of functions such as exp are those that the candidate's `Arithmetic` declares. A result below
//! twice the smallest normal number may also underflow, which is a systematic error.
//!
//! **Softmax and loss.** Each log-probability xⱼ = zⱼ − ln Σ exp z has an error with the variance E²(xⱼ), which
//! combines the error of its logit with those of the subtractions, the exponential and the logarithm. With the
//! probabilities p, the one-hot label y, the loss ℓ of an image and the number m of images,
//!
//! ```text
//! E²(ℓ) = Σⱼ (pⱼ − yⱼ)² E²(xⱼ) + ρ²                                                 (8)
//! E²(pⱼ) = pⱼ² ( (1−pⱼ)² E²(xⱼ) + Σₖ≠ⱼ pₖ² E²(xₖ) + (classes + division²) u² )      (9)
//! E²(δ) = ( E²(p) + u² (3p² + 2(p−y)² + y) ) / m²                                   (10)
//! ```
//!
//! If h exceeds 0.1 for a log-probability, exp is not linear over that range. The whole change pⱼ (exp(hⱼ + max h) − 1)
//! is then added to the bound as D.
//!
//! For other losses, with outputs a and their own rounding errors ρ(a), the formula of the reference gives
//!
//! ```text
//! E²(δⱼ) = Σₖ (∂δⱼ/∂zₖ)² E²(zₖ) + Σₖ (∂δⱼ/∂aₖ)² ρ(aₖ)² + ρ²,   and likewise the loss
//! ```
//!
//! **Rounded factors.** If the factors of products are rounded to TF32, bfloat16 or half precision, the reference rounds its
//! own. A rounded factor has no error, unless an error of the value before rounding, of at most min(λE + 2K, W) + D, may move
//! it to a neighbour: that change is added to D.
//!
//! **Backward pass**, by (2): ∂W = AᵀΔ, ∂b = 1ᵀΔ, G = ΔWᵀ (11), where W is the weight matrix. The error then propagates
//! through δ = G ∘ f′ (12):
//!
//! ```text
//! E²(δ) = f′² E²(G) + G² E²(f′) + u² δ²                                             (13)
//! ```
//!
//! **Updates** are compared from the parameters θ that the candidate had before the step. These are known exactly, so
//! errors accumulate only in the optimizer's state. With the gradient g, the weight decay c, the momentum µ, the
//! velocity v, the learning rate η and the update d:
//!
//! ```text
//! E²(g) ← E²(g) + u² ((cθ)² + g²)          with weight decay                        (14)
//! E²(v) ← µ² E²(v) + E²(g) + u² ((µv)² + v²),   E²(θ) = η² E²(v) + u² ((ηv)² + θ²)  (15)
//! ```
//!
//! Both moments of Adam, m and v, inherit the error of one gradient, so their errors have a covariance C. The rounding
//! errors of the moments are added to the variances as in (15):
//!
//! ```text
//! E²(m) ← β₁² E²(m) + (1−β₁)² E²(g),   E²(v) ← β₂² E²(v) + (2(1−β₂)g)² E²(g),
//! C(m,v) ← β₁β₂ C(m,v) + (1−β₁) 2(1−β₂)g E²(g)                                       (16)
//! E²(θ) = (∂d/∂m)² E²(m) + 2 ∂d/∂m ∂d/∂v C(m,v) + (∂d/∂v)² E²(v)
//!         + u² ((4 + division² + square root²) d² + θ²)                              (17)
//! ```
//!
//! The other rules follow in the same way from their formulas. Their state has up to three values, whose errors have a
//! covariance matrix Σ; with the Jacobian J of the new state, Σ ← JΣJᵀ, where E²(g) is part of Σ.
//!
//! **Clipping** by a norm multiplies all gradients by one factor, whose error is systematic: |δ‖g‖| ≤ λ √(Σ E²(g)) +
//! √(Σ D(g)²) + λ u √n ‖g‖ for n gradients. **Gradients from a step**, (before − after)/η, have the error of the parameter after
//! the step, divided by η.
//!
//! Rounded hyper-parameters, their rounded powers and undecided gradients cause systematic errors, which do not change
//! sign at random and are added linearly. If the relative error of √v̂ + ε exceeds 0.3, Adam's quotient m̂/(√v̂ + ε) is
//! *indeterminate*: every step up to the largest that Adam can take, η √(Σ aᵢ²/bᵢ), is accepted as correct. Here aᵢ and
//! bᵢ are the weights of gᵢ in m̂ and of gᵢ² in v̂; the limit follows from the Cauchy–Schwarz inequality. The moments
//! of a trained network, which are known, count as one more gradient.
//!
//! **Projection.** A fault that is small in every element becomes visible in the projection of the error e onto the
//! update d. With the variance of θ split into the part E² due to rounding errors in the step and the part E²(g) due to
//! the gradients, and with the systematic error s (including correlated rounding errors of the parameters),
//!
//! ```text
//! Σ e d / Σ d²  ≤  ( λ √(Σ E²d²) + λ √(Σ E²(g)) √(Σ d²) + Σ s |d| ) / Σ d²           (18)
//! ```
//!
//! Elements whose update is lost when the parameter is rounded are excluded. The errors of computed gradients have
//! common sources, so their term uses the Cauchy–Schwarz inequality; for given gradients it is λ √(Σ E²(g) d²).
//!
//! **Overflow.** If an expected value may exceed the largest finite number, the infinity of the same sign is correct.
//! If a term of a step may exceed it, the step has no error bound, and neither it nor later steps are compared.
//!
//! # Limits
//!
//! The error analysis is only a model. Rounding errors are not random: a sum of many equal numbers is rounded in the
//! same way each time, and (5) detects only what eight draws reveal. The model is therefore tested on thousands of
//! random networks (no correct candidate fails; `tests/random_configurations.rs`, and over all operations
//! `tests/random_specifications.rs`), on traces from PyTorch and optax, and on injected faults (every one is
//! found in its stage and tensor; `tests/faults.rs`, and after training `tests/after_training.rs`). The largest error ratio
//! in 3,000 configurations is 0.99 (the environment variable `MLP_PARITY_CONFIGURATIONS` sets their number); on the report's
//! network it is below 0.4. For the training loop, the growth of differences over its few steps is neglected. Functions such
//! as exp are assumed to be as accurate as the candidate's `Arithmetic` declares.
//!
//! # Injected faults, and where each one is found
//!
#![doc = include_str!("faults.md")]

mod bounds;
mod case;
mod compare;
mod explanation;
mod report;
mod stages;
mod step_reference;
mod suite;
mod tensor_check;
mod trace;
mod training_loop;

pub use bounds::{HiddenUnit, confidence, gradient_error_bounds};
pub(crate) use case::all_optimizers;
pub use case::{Case, NamedOptimizer, TrainedState};
pub use explanation::{Diagnosis, Explanation, Kind, OtherExplanation};
pub use report::{CheckReport, FORMAT, REFERENCE, SuiteReport, TraceSummary};
pub use stages::check_candidate;
pub(crate) use stages::{LARGE_LOGITS, NAN_PROPAGATION, with_large_logits};
pub use suite::check;
pub(crate) use tensor_check::CheckContext;
pub use tensor_check::{Check, DifferenceMap, Stage};
pub(crate) use trace::{
    AfterUpdate, Comparison, Computation, GradientForm, Precision, Replay, Results, Step, Unit, parameters_after,
};
pub use trace::{TRACE_FORMAT, Trace};

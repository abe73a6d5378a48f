//! Does a candidate compute what it must? A suite of comparisons with an reference in double precision, cheapest first; the
//! first stage that breaks, its tensor and its element say where to look.
//!
//! | stage | compared |
//! |---|---|
//! | [parameters](Stage::Parameters) | given and read back, to the bit |
//! | [logits](Stage::Logits), [loss](Stage::Loss), [gradients](Stage::Gradients) | of one batch; again with large logits; NaN must show |
//! | [update](Stage::Update) | `apply_gradients` from given gradients, by every optimizer, some steps |
//! | [trajectory](Stage::Trajectory) | `step` after `step`, each judged from the candidate's own parameters before it |
//! | [loop](Stage::TrainingLoop) | `fit` against the same steps one by one |
//!
//! The reference is `mlp_parity_scratch::ReferenceMlp<f64>`; [`Trace`] lets a program in any language take part.
//!
//! # What is bound
//!
//! Two correct implementations differ because they round. How far each element may be from the reference's is computed
//! beside it, to first order, from what the candidate says of its [`Arithmetic`](mlp_parity::Arithmetic), with unit
//! roundoff u.
//!
//! **Sums.** Worst-case bounds, γₙ = nu/(1−nu) multiplied through |W|, allow several times the largest gradient of the
//! report's network. Roundings are nearly independent and of mean zero, though (Higham and Mary 2019, *A new approach to
//! probabilistic rounding error analysis*), so variances add up. A sum of terms tₖ with running sums sₖ rounds each term
//! and each running sum:
//!
//! ```text
//! E² = u² ( max( Σₖ sₖ²,  n (S²/3 + T/6) ) + T + S² ),   S = Σ tₖ,  T = Σ tₖ²        (1)
//! ```
//!
//! Σₖ sₖ² follows the natural order, sampled at 16 places, with the bias first or last; n (S²/3 + T/6) is its mean over
//! all orders; n counts the terms that are not zero. (The simpler nT, which has no S, is wrong where all terms have one
//! sign: the running sums then grow with n, not with √n.)
//!
//! **Products** C = A·B carry the errors of their factors:
//!
//! ```text
//! E²(C) = (1) + E²(A)·B² + A²·E²(B),        squares element by element               (2)
//! W(C)  = (n+1) u |A|·|B| + W(A)·|B| + |A|·W(B),   the worst case                    (3)
//! ```
//!
//! and an element may be off by
//!
//! ```text
//! min( λE + 2·alike, W ) + undecided,   λ = √(2 ln(2N/p)) = 8.4                      (4)
//! ```
//!
//! where λ follows from Hoeffding's inequality and a union bound over [N = 10⁹ comparisons](confidence::COMPARISONS), so
//! that a correct implementation is accused in any of them with a [probability p of 10⁻⁶](confidence::FAILURE_PROBABILITY).
//!
//! **Errors with one source** grow together: after a bottleneck, or where weights have one sign, (2) is too small. So
//! eight sets of roundings of the variance (1) are drawn, always with the same random signs, and carried through the
//! network to first order. Where their mean square over a row, a column or all of a product exceeds the mean variance,
//! the variance is raised to it:
//!
//! ```text
//! E² ← E² · max( 1, ⟨e²/E²⟩ row, column, all )                                       (5)
//! ```
//!
//! Where all images have nearly the same probabilities they are also rounded alike, and their errors add up in a sum over
//! images instead of cancelling: *alike* in (4) is such an error of softmax, added linearly over images.
//!
//! **Activations** a = f(z), with e = λE(z):
//!
//! ```text
//! E²(a)  = max|f′|² E²(z) + own²           over |ζ − z| ≤ e                          (6)
//! E²(f′) = max|f″|² E²(z) + (∂f′/∂a · own)² + u²(2f′ + a²)²                          (7)
//! ```
//!
//! A ReLU unit with |z| ≤ e is *undecided*: either side is right, so its whole sum is added to what is bound
//! downstream, and it is counted and named. ReLU itself changes no error, and its derivative has none.
//!
//! **Softmax and loss.** Each exponent zⱼ − ln Σ exp z has the error of its logit and of the subtractions, the exponential
//! and the logarithm, E²(xⱼ); then
//!
//! ```text
//! E²(ℓ) = Σⱼ (pⱼ − yⱼ)² E²(xⱼ) + own²                                               (8)
//! E²(pⱼ) = pⱼ² ( (1−pⱼ)² E²(xⱼ) + Σₖ≠ⱼ pₖ² E²(xₖ) + (classes + division²) u² )      (9)
//! E²(δ) = ( E²(p) + u² (3p² + 2(p−y)² + y) ) / m²                                   (10)
//! ```
//!
//! Where an exponent's e exceeds 0.1, exp is not linear: pⱼ (exp(eⱼ + max e) − 1) is then bound outright, as *undecided*.
//!
//! **Backward**, by (2): ∂W = AᵀΔ, ∂b = 1ᵀΔ, G = ΔWᵀ (11); through δ = G ∘ f′ (12):
//!
//! ```text
//! E²(δ) = f′² E²(G) + G² E²(f′) + u² δ²                                             (13)
//! ```
//!
//! **Updates** are judged from the parameters θ that the candidate had before, which are known exactly, so nothing
//! accumulates but in the optimizer's state:
//!
//! ```text
//! E²(g) ← E²(g) + u² ((λθ)² + g²)          with weight decay                        (14)
//! E²(v) ← µ² E²(v) + E²(g) + u² ((µv)² + v²),   E²(θ) = η² E²(v) + u² ((ηv)² + θ²)  (15)
//! Adam: variances of m and v and their covariance, as both have the error of one gradient   (16)
//! E²(θ) = (∂d/∂m)² E²(m) + 2 ∂d/∂m ∂d/∂v E(m,v) + (∂d/∂v)² E²(v) + u² (…d² + θ²)    (17)
//! ```
//!
//! Rounded hyper-parameters are no matter of chance and are added linearly. Where the error of √v̂ exceeds half of √v̂ + ε,
//! Adam's quotient is *undecided*: any step of at most η √(Σ aᵢ²/bᵢ), the largest that Adam can take, is right.
//!
//! A fault that is small in every element shows in the **projection** of the error e on the update d,
//!
//! ```text
//! Σ e d / Σ d²  ≤  ( λ √(Σ E²d²) + λ √(Σ E²(g)) √(Σ d²) + Σ systematic |d| ) / Σ d²   (18)
//! ```
//!
//! without elements whose update is lost in the rounding of the parameter. Errors of gradients have common sources, so for
//! them (18) takes the inequality of Cauchy and Schwarz.
//!
//! # Its limits
//!
//! It is a model. Roundings are not random: a sum of many equal numbers rounds the same way each time, and (5) sees only
//! what eight draws show. That is why it is tested on thousands of random networks (`tests/random_configurations.rs`:
//! nobody correct is accused) and on planted faults (`tests/faults.rs`: all are found where they live). The largest error_ratio
//! of what is bound that was seen in 3,000 configurations is 0.99; on the report's network it is below 0.4. Growth of a
//! difference within the few steps of the loop stage is left out, and functions are taken to be as accurate as their
//! specifications promise.
//!
//! # Mistakes that were planted, and where they were found
//!
#![doc = include_str!("faults.md")]

mod bounds;
mod case;
mod compare;
mod report;
mod stages;
mod step_reference;
mod suite;
mod tensor_check;
mod trace;

pub use bounds::{HiddenUnit, confidence, gradient_error_bounds};
pub use case::{Case, NamedOptimizer};
pub use report::{CheckReport, FORMAT, REFERENCE, SuiteReport};
pub use stages::check_candidate;
pub use suite::{assert_agreement, check};
pub use tensor_check::{Check, Stage};
pub use trace::{TRACE_FORMAT, Trace};

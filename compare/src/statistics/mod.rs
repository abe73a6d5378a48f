//! Statistical comparison of two implementations that were trained with several seeds each, or that classified the same
//! images.
//!
//! # Paired differences
//!
//! Runs are paired by seed: in a pair, both networks start from the same parameters and see the same batches in the
//! same order. The quantity of interest is the difference dᵢ of a metric, such as the test accuracy, in pair i. The
//! seed affects both values of a pair in much the same way, so the differences scatter far less than the values
//! themselves.
//!
//! With n pairs, let d̄ be the mean of the differences, s their standard deviation (with n − 1), and δ the true mean
//! difference. All tests below use the standard error s/√n and Student's t distribution with n − 1 degrees of freedom.
//!
//! # Equivalence
//!
//! A difference that is not significant does not prove that two implementations are equivalent: there may simply be too
//! few runs. Equivalence within a margin Δ is shown by two one-sided t-tests (TOST; Schuirmann 1987). They must reject
//! both null hypotheses, δ ≤ −Δ and δ ≥ Δ, at the level [`EQUIVALENCE_LEVEL`]:
//!
//! ```text
//! p = P( T ≥ (Δ − |d̄|) / (s/√n) )          the larger of the two p values
//! ```
//!
//! This is [`Sample::equivalence_p`]. The opposite claim, |δ| > Δ, is tested by [`Sample::difference_p`] at the
//! stricter [`DIFFERENCE_LEVEL`]. If neither test rejects, the comparison is inconclusive, and [`seeds_needed`]
//! computes how many seeds would show equivalence with a probability of [`POWER`].
//!
//! # Seeds until decided
//!
//! With [`Seeds::Auto`], seeds are added until a test rejects, by a group-sequential [plan](SequentialPlan): the levels of the
//! tests are divided among the looks, so that the probabilities of a false *equivalent* and a false *different* over all looks
//! are at most the same levels.
//!
//! # What an agreement excludes
//!
//! [`detectable_difference`] is the smallest true difference that the differences would have shown. [`Spread`] compares the
//! variances of the two samples, which equal means do not determine; it stands beside the verdict.
//!
//! # Assumptions and limits
//!
//! - The differences of different seeds are independent.
//! - Their mean is approximately normally distributed. This assumption is unproblematic for accuracies on thousands of
//!   images, but not if training collapses with one of the seeds; such a seed is reported separately ([`Degeneracy`]).
//! - Intervals are those of the seeds alone: they are not wider because seeds were added until a comparison was decided.
//! - If most differences are exactly 0 and a few are large, few seeds may show none of the large ones. The tests then find a
//!   spread that is too small.
//! - [`bootstrap_interval`] does not assume a normal distribution, but is too narrow for few seeds. A result counts as
//!   equivalent only if the t-tests and the bootstrap agree.
//! - The results apply only to the network, data set and training configuration that were tested.
//!
//! # Predictions
//!
//! [`mcnemar`] and [`cohen_kappa`] compare the predictions of two classifiers image by image.
//!
//! # References
//!
//! - J. Cohen. *A coefficient of agreement for nominal scales.* Educational and Psychological Measurement 20 (1960).
//! - B. Efron. *Bootstrap methods: another look at the jackknife.* The Annals of Statistics 7 (1979).
//! - G. J. Hahn and W. Q. Meeker. *Statistical Intervals: A Guide for Practitioners.* Wiley (1991).
//! - Q. McNemar. *Note on the sampling error of the difference between correlated proportions or percentages.*
//!   Psychometrika 12 (1947).
//! - K. F. Phillips. *Power of the two one-sided tests procedure in bioequivalence.* Journal of Pharmacokinetics and
//!   Biopharmaceutics 18 (1990).
//! - D. J. Schuirmann. *A comparison of the two one-sided tests procedure and the power approach for assessing the
//!   equivalence of average bioavailability.* Journal of Pharmacokinetics and Biopharmaceutics 15 (1987).

mod levels;
mod paired;
mod power;
mod predictions;
mod sequential;
mod spread;
pub(crate) mod text;

pub use paired::{Sample, Summary, bootstrap_interval};
pub use power::{POWER, detectable_difference, seeds_needed, tost_power};
pub use predictions::{Degeneracy, cohen_kappa, mcnemar};
pub use sequential::{EquivalenceVerdict, Look, Seeds, SequentialPlan};
pub use spread::Spread;

pub use levels::{CONFIDENCE, DIFFERENCE_LEVEL, EQUIVALENCE_LEVEL, MARGIN, MIN_SEEDS};

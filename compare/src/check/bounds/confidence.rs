//! The confidence level of the error bounds: the factor λ between the standard deviation of an error and its bound.
//!
//! Hoeffding's inequality (W. Hoeffding, *Probability inequalities for sums of bounded random variables*, Journal of
//! the American Statistical Association 58, 1963) states that a sum Σ cᵢδᵢ of independent errors |δᵢ| ≤ u with mean
//! zero exceeds λ u √(Σ cᵢ²) in magnitude with a probability of at most 2 exp(−λ²/2). The union bound over N
//! comparisons multiplies this probability by N. Setting the product equal to p and solving for λ gives
//!
//! ```text
//! λ = √(2 ln(2N/p))
//! ```
//!
//! Limits: rounding errors are modelled as random; see the limits of the [error model](crate::check#limits).

/// N: number of elements that are compared in the lifetime of a project, generously estimated at 10⁹.
pub const COMPARISONS: f64 = 1e9;

/// p: largest probability that a correct implementation ever exceeds an error bound, over all [`COMPARISONS`] together.
pub const FAILURE_PROBABILITY: f64 = 1e-6;

/// Factor between the standard deviation of a rounding error and its bound: λ = √(2 ln(2N/p)), with N = [`COMPARISONS`]
/// and p = [`FAILURE_PROBABILITY`].
pub const LAMBDA: f64 = 8.394_274_7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_follows_from_failure_probability() {
        let expected = (2.0 * (2.0 * COMPARISONS / FAILURE_PROBABILITY).ln()).sqrt();
        approx::assert_relative_eq!(LAMBDA, expected, epsilon = 1e-7);
    }
}

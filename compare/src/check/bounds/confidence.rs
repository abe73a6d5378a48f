//! How sure the verdict is.

/// Elements that are compared in the life of a project, by a generous guess: 10⁹.
pub const COMPARISONS: f64 = 1e9;

/// The probability that any of them exceeds what is bound though everyone computes correctly.
pub const FAILURE_PROBABILITY: f64 = 1e-6;

/// λ = √(2 ln(2 · [`COMPARISONS`] / [`FAILURE_PROBABILITY`])): by Hoeffding's inequality a sum Σ cᵢδᵢ of independent
/// errors |δᵢ| ≤ u of mean zero exceeds λ·u·√Σcᵢ² with a probability of at most 2·exp(−λ²/2), and a union bound adds up
/// over the comparisons.
pub const LAMBDA: f64 = 8.394_274_7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_follows_from_the_failure_probability() {
        let expected = (2.0 * (2.0 * COMPARISONS / FAILURE_PROBABILITY).ln()).sqrt();
        approx::assert_relative_eq!(LAMBDA, expected, epsilon = 1e-7);
    }
}

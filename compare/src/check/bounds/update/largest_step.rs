//! The largest step that an update rule can take, which bounds the error of a quotient whose divisor may be mostly rounding
//! error.

use mlp_parity_scratch::reference::{UpdateRule, UpdateStep};

/// One step of an update rule, with the largest difference that it can make.
pub(super) struct BoundedStep {
    pub(super) step: UpdateStep,
    /// Number of steps since the state was known without error, with this one.
    taken: i32,
    /// The largest difference if the moments were zero then.
    largest: f64,
}

impl BoundedStep {
    pub(super) fn new(step: UpdateStep, taken: i32) -> Self {
        Self { step, taken, largest: largest_step(&step, taken) }
    }

    /// Returns the largest difference for a parameter, given the largest magnitude of RMSprop's direction after the step, and
    /// the moments that were known without error.
    ///
    /// With the weights A of the known m in m̂ and B of the known v in v̂, the Cauchy–Schwarz inequality gives
    /// |m̂|/√v̂ ≤ √(Σ aᵢ²/bᵢ + A²m²/(Bv)). If v is so small that it is rounded to zero, the part of m is limited by ε.
    pub(super) fn largest(&self, largest_direction: f64, [m, v]: [f64; 2]) -> f64 {
        let UpdateStep { rule, learning_rate, number, .. } = self.step;
        match rule {
            UpdateRule::RmsProp { with_rate: true, .. } => largest_direction,
            UpdateRule::RmsProp { .. } => learning_rate * largest_direction,
            UpdateRule::Adam { beta1, beta2, epsilon, .. } if m != 0.0 => {
                let weight = |beta: f64| beta.powi(self.taken) / (1.0 - beta.powi(number));
                let from_moment = learning_rate * weight(beta1) * m.abs();
                (self.largest.hypot(from_moment / (weight(beta2) * v).sqrt())).min(self.largest + from_moment / epsilon)
            }
            _ => self.largest,
        }
    }
}

/// Returns the magnitude of the largest step that a rule can take, whatever the gradients of the last `taken` steps are, if
/// the state was zero before; infinity if it has no limit.
///
/// With the weights aᵢ of gᵢ in m̂ and bᵢ of gᵢ² in v̂, the Cauchy–Schwarz inequality gives |m̂|/√v̂ ≤ √(Σ aᵢ²/bᵢ).
fn largest_step(step: &UpdateStep, taken: i32) -> f64 {
    let number = step.number;
    let average = |beta: f64, age: i32| (1.0 - beta) * beta.powi(age) / (1.0 - beta.powi(number));
    let ratio = |beta1: f64, beta2: f64| {
        let terms = (0..taken).map(|age| average(beta1, age).powi(2) / average(beta2, age));
        terms.sum::<f64>().sqrt()
    };
    let multiple = match step.rule {
        UpdateRule::Momentum { .. } => f64::INFINITY,
        UpdateRule::Adam { beta1, beta2, .. } => ratio(beta1, beta2),
        // The step is a mean of m̂ and g with weights whose sum is at most 1/(1 − β₁) times that of m̂ alone.
        UpdateRule::Nadam { beta1, beta2, .. } => {
            (ratio(beta1, beta2) + average(beta2, 0).sqrt().recip()) / (1.0 - beta1)
        }
        // |m̂|/u ≤ Σ aᵢ β₂⁻ⁱ, since u ≥ β₂ⁱ|gᵢ|.
        UpdateRule::Adamax { beta1, beta2, .. } => (0..taken).map(|age| average(beta1, age) / beta2.powi(age)).sum(),
        // |g|/√v ≤ 1/√(1 − α), and momentum adds such quotients, which the state keeps.
        UpdateRule::RmsProp { .. } => f64::INFINITY,
        UpdateRule::Adagrad { .. } => 1.0,
    };
    step.learning_rate * multiple
}

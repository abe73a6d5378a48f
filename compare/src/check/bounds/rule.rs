//! One step of an optimizer, and how far off a candidate may be after it: equations (14) to (17).

use mlp_parity::{Arithmetic, Optimizer};

use super::bounded_matrix::squared_roundoff;
use super::confidence::LAMBDA;

/// A rule, as a candidate with this arithmetic has it, before one of its steps.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) struct Rule {
    arithmetic: Arithmetic,
    /// u² and u of candidate and reference together.
    roundoff: [f64; 2],
    /// η
    learning_rate: f64,
    /// λ in the gradient.
    coupled_decay: f64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// µ (0 for SGD), and whether the step looks ahead.
    Momentum(f64, bool),
    Adam {
        betas: [f64; 2],
        epsilon: f64,
        /// 1 − βᵗ
        corrections: [f64; 2],
        /// By what error_ratio they may be off.
        corrections_error: [f64; 2],
        /// 1 − ηλ of AdamW.
        shrink: f64,
        /// The largest possible |m̂|/√v̂.
        largest_ratio: f64,
    },
}

/// What a candidate's optimizer remembers of one parameter: momentum's velocity, or Adam's two moments.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::check) struct Moments {
    value: [f64; 2],
    /// E² from their own roundings.
    own: [f64; 2],
    /// E² from the gradients: of the first, of both together, of the second.
    of_gradients: [f64; 3],
    /// What is no matter of chance: rounded hyper-parameters, undecided units.
    systematic: [f64; 2],
}

/// One element of a gradient.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) struct Gradient {
    pub(in crate::check) value: f64,
    /// E²
    pub(in crate::check) variance: f64,
    /// What undecided units may change.
    pub(in crate::check) undecided: f64,
}

/// How far off one parameter may be after the step.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::check) struct StepError {
    /// E² from roundings in the step and in the moments.
    pub(in crate::check) own: f64,
    /// E² from the errors of the gradients.
    pub(in crate::check) of_gradients: f64,
    /// What is no matter of chance.
    pub(in crate::check) systematic: f64,
    /// What is chance in one element, and the same in many: steps of one size, such as Adam's, are rounded alike in all
    /// parameters of one magnitude.
    pub(in crate::check) alike: f64,
    /// Whether Adam's quotient is open, so that any step of Adam's size is right.
    pub(in crate::check) undecided: bool,
}

impl StepError {
    pub(in crate::check) fn bound(&self) -> f64 {
        LAMBDA * (self.own + self.of_gradients).sqrt() + self.systematic
    }
}

/// The rule with the hyper-parameters that a candidate with this arithmetic has.
pub(in crate::check) fn as_kept(optimizer: &Optimizer, arithmetic: &Arithmetic) -> Optimizer {
    let kept = |value: f64| if arithmetic.single_hyper_parameters { f64::from(value as f32) } else { value };
    match *optimizer {
        Optimizer::Sgd { weight_decay } => Optimizer::Sgd { weight_decay: kept(weight_decay) },
        Optimizer::Momentum { momentum, nesterov, weight_decay } => {
            Optimizer::Momentum { momentum: kept(momentum), nesterov, weight_decay: kept(weight_decay) }
        }
        Optimizer::Adam { beta1, beta2, epsilon, weight_decay } => Optimizer::Adam {
            beta1: kept(beta1),
            beta2: kept(beta2),
            epsilon: kept(epsilon),
            weight_decay: kept(weight_decay),
        },
        Optimizer::AdamW { beta1, beta2, epsilon, weight_decay } => Optimizer::AdamW {
            beta1: kept(beta1),
            beta2: kept(beta2),
            epsilon: kept(epsilon),
            weight_decay: kept(weight_decay),
        },
    }
}

impl Rule {
    /// The rule in its `step`-th step, from 1.
    pub(in crate::check) fn new(optimizer: &Optimizer, learning_rate: f64, step: i32, arithmetic: &Arithmetic) -> Self {
        let squared = squared_roundoff(arithmetic);
        let roundoff = squared.sqrt();
        let (coupled_decay, kind) = match *optimizer {
            Optimizer::Sgd { weight_decay } => (weight_decay, Kind::Momentum(0.0, false)),
            Optimizer::Momentum { momentum, nesterov, weight_decay } => {
                (weight_decay, Kind::Momentum(momentum, nesterov))
            }
            Optimizer::Adam { beta1, beta2, epsilon, weight_decay } => {
                (weight_decay, Kind::adam([beta1, beta2], epsilon, 1.0, step, arithmetic))
            }
            Optimizer::AdamW { beta1, beta2, epsilon, weight_decay } => {
                (0.0, Kind::adam([beta1, beta2], epsilon, 1.0 - learning_rate * weight_decay, step, arithmetic))
            }
        };
        Self { arithmetic: *arithmetic, roundoff: [squared, roundoff], learning_rate, coupled_decay, kind }
    }

    /// One parameter: how far off it may be after the step from `before`, which is what the candidate had.
    pub(in crate::check) fn step(&self, before: f64, mut gradient: Gradient, moments: &mut Moments) -> StepError {
        let [squared, roundoff] = self.roundoff;
        if self.coupled_decay != 0.0 {
            let decay = self.coupled_decay * before;
            gradient.value += decay;
            gradient.variance += squared * (decay * decay + gradient.value * gradient.value);
            gradient.undecided += roundoff * decay.abs();
        }
        match self.kind {
            Kind::Momentum(momentum, nesterov) => self.momentum(momentum, nesterov, before, gradient, moments),
            Kind::Adam { .. } => self.adam(before, gradient, moments),
        }
    }

    /// Equation (15).
    fn momentum(
        &self,
        factor: f64,
        nesterov: bool,
        before: f64,
        gradient: Gradient,
        moments: &mut Moments,
    ) -> StepError {
        let [squared, roundoff] = self.roundoff;
        let kept = factor * moments.value[0];
        let velocity = kept + gradient.value;
        // Without momentum the gradient itself is the velocity.
        let rounding = if factor == 0.0 { 0.0 } else { squared * (kept * kept + velocity * velocity) };
        moments.value[0] = velocity;
        moments.own[0] = factor * factor * moments.own[0] + rounding;
        moments.of_gradients[0] = factor * factor * moments.of_gradients[0] + gradient.variance;
        moments.systematic[0] = factor * moments.systematic[0] + roundoff * kept.abs() + gradient.undecided;
        let mut direction = velocity;
        let [mut own, mut of_gradients, mut systematic] =
            [moments.own[0], moments.of_gradients[0], moments.systematic[0]];
        if nesterov {
            let ahead = factor * velocity;
            direction = gradient.value + ahead;
            own = factor * factor * own + squared * (ahead * ahead + direction * direction);
            // The present gradient is in both terms.
            of_gradients = 2.0 * (gradient.variance + factor * factor * of_gradients);
            systematic = gradient.undecided + factor * systematic + roundoff * ahead.abs();
        }
        let update = self.learning_rate * direction;
        let after = before - update;
        let rate = self.learning_rate;
        StepError {
            own: rate * rate * own + squared * (update * update + after * after),
            of_gradients: rate * rate * of_gradients,
            systematic: rate * systematic + roundoff * update.abs() + self.arithmetic.underflow,
            alike: 0.0,
            undecided: false,
        }
    }

    /// Equations (16) and (17).
    fn adam(&self, before: f64, gradient: Gradient, moments: &mut Moments) -> StepError {
        let Kind::Adam { betas, epsilon, corrections, corrections_error, shrink, largest_ratio } = self.kind else {
            return StepError::default();
        };
        let [squared, roundoff] = self.roundoff;
        moments.take(betas, gradient, [squared, roundoff, self.arithmetic.underflow]);
        let root = (moments.value[1] / corrections[1]).sqrt();
        let denominator = root + epsilon;
        let update = self.learning_rate * moments.value[0] / corrections[0] / denominator;
        let kept = shrink * before;
        let after = kept - update;
        let of_parameter = squared * (after * after + if shrink == 1.0 { 0.0 } else { kept * kept });
        let of_shrink = if shrink == 1.0 { 0.0 } else { roundoff * kept.abs() };

        let second =
            (LAMBDA * (moments.own[1] + moments.of_gradients[2]).sqrt() + moments.systematic[1]) / corrections[1];
        let root_error = if root > 0.0 { second.sqrt().min(second / root) } else { second.sqrt() };
        if root_error > denominator / 2.0 {
            let systematic = self.learning_rate * largest_ratio * 1.01 + update.abs() + of_shrink;
            return StepError { own: of_parameter, of_gradients: 0.0, systematic, alike: 0.0, undecided: true };
        }
        // The update is a quotient, which its linear part underestimates where the denominator shrinks.
        let stretch = (1.0 - root_error / denominator).powi(-2);
        let by_first = stretch * self.learning_rate / corrections[0] / denominator;
        let by_second = if root > 0.0 { -stretch * update / denominator / (2.0 * root * corrections[1]) } else { 0.0 };
        let Arithmetic { division, square_root, .. } = self.arithmetic;
        let of_quotient = squared * update * update * (4.0 + division * division + square_root * square_root);
        let of_constants = corrections_error[0] + corrections_error[1] / 2.0 + roundoff * (1.0 + epsilon / denominator);
        let [first, both, second] = moments.of_gradients;
        StepError {
            own: by_first.powi(2) * moments.own[0] + by_second.powi(2) * moments.own[1] + of_quotient + of_parameter,
            of_gradients: (by_first.powi(2) * first + 2.0 * by_first * by_second * both + by_second.powi(2) * second)
                .max(0.0),
            systematic: by_first * moments.systematic[0]
                + by_second.abs() * moments.systematic[1]
                + update.abs() * of_constants
                + of_shrink
                + self.arithmetic.underflow,
            alike: of_parameter.sqrt(),
            undecided: false,
        }
    }
}

impl Moments {
    /// Adam's moments after this gradient.
    fn take(&mut self, [beta1, beta2]: [f64; 2], gradient: Gradient, [squared, roundoff, underflow]: [f64; 3]) {
        let Gradient { value: g, variance, undecided } = gradient;
        let [kept1, kept2] = [beta1 * self.value[0], beta2 * self.value[1]];
        let [new1, new2] = [(1.0 - beta1) * g, (1.0 - beta2) * g * g];
        self.value = [kept1 + new1, kept2 + new2];
        let rounding =
            |kept: f64, new: f64| squared * (kept * kept + 2.0 * new * new + (kept + new).powi(2)) + underflow.powi(2);
        self.own =
            [beta1 * beta1 * self.own[0] + rounding(kept1, new1), beta2 * beta2 * self.own[1] + rounding(kept2, new2)];
        // Both moments have the error of the same gradient.
        let [by1, by2] = [1.0 - beta1, 2.0 * (1.0 - beta2) * g];
        let [first, both, second] = self.of_gradients;
        self.of_gradients = [
            beta1 * beta1 * first + by1 * by1 * variance,
            beta1 * beta2 * both + by1 * by2 * variance,
            beta2 * beta2 * second + by2 * by2 * variance,
        ];
        let error = LAMBDA * variance.sqrt() + undecided;
        self.systematic = [
            beta1 * self.systematic[0] + (1.0 - beta1) * undecided + roundoff * (kept1.abs() + new1.abs()),
            beta2 * self.systematic[1]
                + (1.0 - beta2) * (2.0 * g.abs() * undecided + error * error)
                + roundoff * (kept2 + new2),
        ];
    }
}

impl Kind {
    fn adam(betas: [f64; 2], epsilon: f64, shrink: f64, step: i32, arithmetic: &Arithmetic) -> Self {
        let corrections = betas.map(|beta| 1.0 - beta.powi(step));
        let corrections_error = betas.map(|beta| {
            let power = beta.powi(step);
            // βᵗ by t products, and the difference from 1.
            let computed = f64::from(step) * power / (1.0 - power);
            arithmetic.unit_roundoff * (1.0 + if arithmetic.single_hyper_parameters { computed } else { 0.0 })
        });
        // By the inequality of Cauchy and Schwarz: |Σ aᵢgᵢ| ≤ √(Σ aᵢ²/bᵢ) √(Σ bᵢgᵢ²).
        let weight = |which: usize, age: i32| (1.0 - betas[which]) * betas[which].powi(age) / corrections[which];
        let ratio: f64 = (0..step).map(|age| weight(0, age).powi(2) / weight(1, age)).sum();
        Self::Adam { betas, epsilon, corrections, corrections_error, shrink, largest_ratio: ratio.sqrt() }
    }
}

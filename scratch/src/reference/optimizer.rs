//! Update rules: how a gradient changes a parameter. The definitions are PyTorch's, unless stated otherwise.

use mlp_parity::Optimizer;

use super::deviation::Correction;
use super::number::Number;

/// Largest number of values that a rule keeps for each parameter from step to step.
pub const STATE_SIZE: usize = 3;

/// Update rule of an optimizer, without weight decay. Symbols: g is the gradient, θ a parameter, η the learning rate, t the
/// number of the step, counted from 1. The state is zero before the first step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UpdateRule {
    /// Gradient descent with momentum; without momentum if µ = 0.
    Momentum {
        /// Momentum coefficient µ in [0, 1).
        momentum: f64,
        /// Form of the recurrence of the velocity.
        form: MomentumForm,
        /// True for Nesterov's momentum: g + µv takes the place of v.
        nesterov: bool,
    },
    /// Adam (Kingma and Ba 2015): m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; θ ← θ − η m̂/(√v̂ + ε), with m̂ = m/(1−β₁ᵗ) and
    /// v̂ = v/(1−β₂ᵗ).
    Adam {
        /// Decay rate β₁ of the first moment m.
        beta1: f64,
        /// Decay rate β₂ of the second moment v.
        beta2: f64,
        /// Constant ε in the denominator.
        epsilon: f64,
        /// Place where ε is added.
        placement: EpsilonPlacement,
        /// True for AMSGrad (Reddi et al. 2018): the largest v so far takes the place of v.
        amsgrad: bool,
    },
    /// Adam with Nesterov's momentum (Dozat 2016): µₜ = β₁ (1 − ½ 0.96^{tψ}), π = µ₁⋯µₜ,
    /// θ ← θ − η (µₜ₊₁ m/(1 − π µₜ₊₁) + (1 − µₜ) g/(1 − π)) / (√v̂ + ε).
    Nadam {
        /// Decay rate β₁ of the first moment m.
        beta1: f64,
        /// Decay rate β₂ of the second moment v.
        beta2: f64,
        /// Constant ε in the denominator.
        epsilon: f64,
        /// Decay ψ of the momentum; PyTorch's default is 0.004.
        momentum_decay: f64,
    },
    /// Adamax (Kingma and Ba 2015, algorithm 2): m ← β₁m + (1−β₁)g; u ← max(β₂u, |g| + ε); θ ← θ − η/(1−β₁ᵗ) m/u.
    Adamax {
        /// Decay rate β₁ of the first moment m.
        beta1: f64,
        /// Decay rate β₂ of the largest gradient u.
        beta2: f64,
        /// Constant ε, added to |g|.
        epsilon: f64,
    },
    /// RMSprop (Tieleman and Hinton 2012): v ← αv + (1−α)g²; θ ← θ − η d, where the direction is d = g/(√v + ε), or with
    /// momentum d ← µd + g/(√v + ε). With `with_rate`, d ← µd + η g/(√v + ε) and θ ← θ − d, as in optax.
    RmsProp {
        /// Decay rate α of the mean square v.
        alpha: f64,
        /// Constant ε in the denominator.
        epsilon: f64,
        /// Place where ε is added.
        placement: EpsilonPlacement,
        /// Momentum coefficient µ in [0, 1).
        momentum: f64,
        /// True if d contains the learning rate. This differs if the rate changes.
        with_rate: bool,
    },
    /// Adagrad (Duchi et al. 2011): s ← s + g²; θ ← θ − η/(1 + (t−1)κ) g/(√s + ε).
    Adagrad {
        /// Decay κ of the learning rate.
        learning_rate_decay: f64,
        /// Value of s before the first step.
        initial_accumulator: f64,
        /// Constant ε in the denominator.
        epsilon: f64,
        /// Place where ε is added.
        placement: EpsilonPlacement,
    },
}

/// Form of the velocity v of momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MomentumForm {
    /// v ← µv + (1 − dampening) g, and v = g in the first step; θ ← θ − ηv.
    Velocity {
        /// Dampening in [0, 1]; 0 is none.
        dampening: f64,
    },
    /// v ← µv + (1 − µ) g; θ ← θ − ηv.
    Average,
    /// v ← µv + ηg; θ ← θ − v, as in Keras. It differs from the others if the learning rate changes.
    WithRate,
}

/// Place of the constant ε in a denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpsilonPlacement {
    /// √v̂ + ε, after the bias correction, as in PyTorch and in the article on Adam.
    Outside,
    /// √v + ε, before the bias correction: θ ← θ − η √(1−β₂ᵗ)/(1−β₁ᵗ) m/(√v + ε), as in Keras and scikit-learn.
    BeforeCorrection,
    /// √(v̂ + ε).
    InsideRoot,
}

/// One of the moments of Adam.
#[derive(Clone, Copy)]
enum Moment {
    /// m, the mean of the gradients.
    First,
    /// v, the mean of their squares.
    Second,
}

/// One step of an update rule: the rule with the learning rate and the number of the step.
#[derive(Clone, Copy, Debug)]
pub struct UpdateStep {
    /// The update rule.
    pub rule: UpdateRule,
    /// Learning rate η.
    pub learning_rate: f64,
    /// Number t of the step, counted from 1.
    pub number: i32,
    /// Factor by which decoupled weight decay shrinks the parameter before the update; 1 if there is none.
    pub shrink: f64,
    /// The number of the step in bias corrections, in relation to `number`.
    pub correction: Correction,
}

impl From<&Optimizer> for UpdateRule {
    fn from(optimizer: &Optimizer) -> Self {
        let form = MomentumForm::Velocity { dampening: 0.0 };
        match *optimizer {
            Optimizer::Sgd { .. } => Self::Momentum { momentum: 0.0, form, nesterov: false },
            Optimizer::Momentum { momentum, nesterov, .. } => Self::Momentum { momentum, form, nesterov },
            Optimizer::Adam { beta1, beta2, epsilon, .. } | Optimizer::AdamW { beta1, beta2, epsilon, .. } => {
                Self::Adam { beta1, beta2, epsilon, placement: EpsilonPlacement::Outside, amsgrad: false }
            }
        }
    }
}

impl UpdateRule {
    /// Applies `function` to every hyper-parameter, such as to round it.
    #[must_use]
    pub fn map_hyper_parameters(mut self, function: impl Fn(f64) -> f64) -> Self {
        let values: &mut [&mut f64] = match &mut self {
            Self::Momentum { momentum, form: MomentumForm::Velocity { dampening }, .. } => &mut [momentum, dampening],
            Self::Momentum { momentum, .. } => &mut [momentum],
            Self::Adam { beta1, beta2, epsilon, .. } | Self::Adamax { beta1, beta2, epsilon } => {
                &mut [beta1, beta2, epsilon]
            }
            Self::Nadam { beta1, beta2, epsilon, momentum_decay } => &mut [beta1, beta2, epsilon, momentum_decay],
            Self::RmsProp { alpha, epsilon, momentum, .. } => &mut [alpha, epsilon, momentum],
            Self::Adagrad { learning_rate_decay, initial_accumulator, epsilon, .. } => {
                &mut [learning_rate_decay, initial_accumulator, epsilon]
            }
        };
        values.iter_mut().for_each(|value| **value = function(**value));
        self
    }

    /// Returns the number of values, the first of the state, that the rule uses.
    pub fn state_size(&self) -> usize {
        match *self {
            Self::Momentum { momentum, .. } => usize::from(momentum != 0.0),
            Self::Adam { amsgrad, .. } => 2 + usize::from(amsgrad),
            Self::Nadam { .. } | Self::Adamax { .. } => 2,
            Self::RmsProp { momentum, .. } => 1 + usize::from(momentum != 0.0),
            Self::Adagrad { .. } => 1,
        }
    }

    /// Returns the state of a parameter before the first step.
    pub fn initial_state<N: Number>(&self, zero: &N) -> [N; STATE_SIZE] {
        let mut state = [zero.clone(), zero.clone(), zero.clone()];
        if let Self::Adagrad { initial_accumulator, .. } = *self {
            state[0] = zero.constant(initial_accumulator);
        }
        state
    }
}

impl UpdateStep {
    /// Computes a parameter after the step, and updates its state.
    pub fn update<N: Number>(&self, parameter: &N, gradient: &N, state: &mut [N; STATE_SIZE]) -> N {
        self.shrunk(parameter) - self.difference(gradient, state)
    }

    /// Returns the parameter after decoupled weight decay.
    pub fn shrunk<N: Number>(&self, parameter: &N) -> N {
        match self.shrink {
            1.0 => parameter.clone(),
            shrink => parameter.constant(shrink) * parameter.clone(),
        }
    }

    /// Updates the state of a parameter, and returns the difference that the step subtracts from the parameter.
    pub fn difference<N: Number>(&self, g: &N, state: &mut [N; STATE_SIZE]) -> N {
        let constant = |value: f64| g.constant(value);
        let rate = constant(self.learning_rate);
        match self.rule {
            UpdateRule::Momentum { momentum, form, nesterov } => self.momentum(momentum, form, nesterov, g, state),
            UpdateRule::Adam { beta1, beta2, epsilon, placement, amsgrad } => {
                let [m, v, largest] = state;
                *m = average(beta1, m, g.clone());
                *v = average(beta2, v, g.squared());
                let second = match amsgrad {
                    true => {
                        *largest = largest.max(v);
                        &*largest
                    }
                    false => &*v,
                };
                self.adam_quotient([beta1, beta2], m, second, epsilon, placement)
            }
            UpdateRule::Nadam { beta1, beta2, epsilon, momentum_decay } => {
                let [m, v, _] = state;
                *m = average(beta1, m, g.clone());
                *v = average(beta2, v, g.squared());
                let momentum = |step: i32| beta1 * (1.0 - 0.5 * 0.96_f64.powf(f64::from(step) * momentum_decay));
                let product: f64 = (1..=self.number).map(momentum).product();
                let [current, next] = [momentum(self.number), momentum(self.number + 1)];
                // PyTorch keeps the product in single precision, even for parameters in double precision.
                let inexact = |factor: f64, product: f64| {
                    let relative_error = f64::from(self.number) * f64::from(f32::EPSILON) * product / (1.0 - product);
                    g.inexact_constant(self.learning_rate * factor / (1.0 - product), relative_error)
                };
                let by_gradient = inexact(1.0 - current, product) * g.clone();
                let by_moment = inexact(next, product * next) * m.clone();
                let denominator = self.denominator(beta2, v, epsilon, EpsilonPlacement::Outside);
                by_gradient / denominator.clone() + by_moment / denominator
            }
            UpdateRule::Adamax { beta1, beta2, epsilon } => {
                let [m, largest, _] = state;
                *m = average(beta1, m, g.clone());
                *largest = (constant(beta2) * largest.clone()).max(&(g.abs() + constant(epsilon)));
                self.corrected(Moment::First, beta1, g, |correction| self.learning_rate / correction) * m.clone()
                    / largest.clone()
            }
            UpdateRule::RmsProp { alpha, epsilon, placement, momentum, with_rate } => {
                let [v, direction, _] = state;
                *v = average(alpha, v, g.squared());
                let quotient = g.clone() / root(v, epsilon, placement);
                if momentum == 0.0 {
                    return rate * quotient;
                }
                let added = if with_rate { rate.clone() * quotient } else { quotient };
                *direction = constant(momentum) * direction.clone() + added;
                if with_rate { direction.clone() } else { rate * direction.clone() }
            }
            UpdateRule::Adagrad { learning_rate_decay, epsilon, placement, .. } => {
                let [sum, ..] = state;
                *sum = sum.clone() + g.squared();
                let rate = self.learning_rate / (1.0 + f64::from(self.number - 1) * learning_rate_decay);
                constant(rate) * g.clone() / root(sum, epsilon, placement)
            }
        }
    }

    fn momentum<N: Number>(
        &self,
        momentum: f64,
        form: MomentumForm,
        nesterov: bool,
        g: &N,
        [velocity, ..]: &mut [N; STATE_SIZE],
    ) -> N {
        let constant = |value: f64| g.constant(value);
        let rate = constant(self.learning_rate);
        if momentum == 0.0 {
            return rate * g.clone();
        }
        let added = match form {
            MomentumForm::Velocity { dampening } if self.number > 1 && dampening != 0.0 => {
                constant(1.0 - dampening) * g.clone()
            }
            MomentumForm::Velocity { .. } => g.clone(),
            MomentumForm::Average => constant(1.0 - momentum) * g.clone(),
            MomentumForm::WithRate => rate.clone() * g.clone(),
        };
        *velocity = constant(momentum) * velocity.clone() + added.clone();
        let direction = match (nesterov, form) {
            (false, _) => velocity.clone(),
            // PyTorch adds the gradient without dampening.
            (true, MomentumForm::Velocity { .. }) => g.clone() + constant(momentum) * velocity.clone(),
            (true, _) => added + constant(momentum) * velocity.clone(),
        };
        if form == MomentumForm::WithRate { direction } else { rate * direction }
    }

    /// Computes η m̂/(√v̂ + ε), with ε in its place.
    fn adam_quotient<N: Number>(
        &self,
        [beta1, beta2]: [f64; 2],
        m: &N,
        v: &N,
        epsilon: f64,
        placement: EpsilonPlacement,
    ) -> N {
        let mut numerator =
            self.corrected(Moment::First, beta1, m, |correction| self.learning_rate / correction) * m.clone();
        if placement == EpsilonPlacement::BeforeCorrection {
            numerator = self.corrected(Moment::Second, beta2, m, f64::sqrt) * numerator;
        }
        numerator / self.denominator(beta2, v, epsilon, placement)
    }

    /// Computes the denominator √v̂ + ε, with ε in its place.
    fn denominator<N: Number>(&self, beta2: f64, v: &N, epsilon: f64, placement: EpsilonPlacement) -> N {
        match placement {
            EpsilonPlacement::Outside => {
                v.sqrt() * self.corrected(Moment::Second, beta2, v, |correction| correction.sqrt().recip())
                    + v.constant(epsilon)
            }
            EpsilonPlacement::BeforeCorrection => v.sqrt() + v.constant(epsilon),
            EpsilonPlacement::InsideRoot => {
                (v.clone() * self.corrected(Moment::Second, beta2, v, f64::recip) + v.constant(epsilon)).sqrt()
            }
        }
    }

    /// Returns a function of the bias correction 1 − βᵗ. The t factors of the power add t times the rounding error of β or of a
    /// product, which the difference from 1 multiplies by βᵗ/(1 − βᵗ).
    fn corrected<N: Number>(&self, moment: Moment, beta: f64, number: &N, function: impl Fn(f64) -> f64) -> N {
        let steps = match (self.correction, moment) {
            (Correction::Missing, _)
            | (Correction::OfFirstMoment, Moment::Second)
            | (Correction::OfSecondMoment, Moment::First) => return number.coefficient(function(1.0), 0.0),
            (Correction::First, _) => 1,
            (Correction::Shifted(by), _) => self.number.saturating_add(by).max(1),
            _ => self.number,
        };
        let power = beta.powi(steps);
        number.coefficient(function(1.0 - power), f64::from(steps) * power / (1.0 - power))
    }
}

/// Computes the moving average βx + (1−β)y.
fn average<N: Number>(beta: f64, x: &N, y: N) -> N {
    x.constant(beta) * x.clone() + x.constant(1.0 - beta) * y
}

/// Computes √v + ε or √(v + ε).
fn root<N: Number>(v: &N, epsilon: f64, placement: EpsilonPlacement) -> N {
    match placement {
        EpsilonPlacement::InsideRoot => (v.clone() + v.constant(epsilon)).sqrt(),
        EpsilonPlacement::Outside | EpsilonPlacement::BeforeCorrection => v.sqrt() + v.constant(epsilon),
    }
}

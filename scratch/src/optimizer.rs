//! The updates. Their formulas stand at [`Optimizer`].

use mlp_parity::{MlpConfig, Optimizer, Parameters, Scalar};
use ndarray::{ArrayView, ArrayViewMut, Dimension, Zip};

/// A rule and what it remembers from step to step.
#[derive(Clone, Debug)]
pub(crate) struct OptimizerState<F> {
    rule: Optimizer,
    /// Steps done.
    steps: i32,
    /// v of momentum, m of Adam.
    first: Option<Parameters<F>>,
    /// v of Adam.
    second: Option<Parameters<F>>,
}

impl<F: Scalar> OptimizerState<F> {
    /// Nothing remembered.
    pub(crate) fn new(rule: Optimizer, config: &MlpConfig) -> Self {
        let zeros = || Some(Parameters::zeros(config));
        let (first, second) = match rule {
            Optimizer::Sgd { .. } => (None, None),
            Optimizer::Momentum { .. } => (zeros(), None),
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => (zeros(), zeros()),
        };
        Self { rule, steps: 0, first, second }
    }

    /// One update of all parameters.
    pub(crate) fn update(&mut self, parameters: &mut Parameters<F>, gradients: &Parameters<F>, learning_rate: f64) {
        self.steps = self.steps.saturating_add(1);
        let step = Step::new(&self.rule, self.steps, learning_rate);
        let layers = parameters.layers_mut().iter_mut().zip(gradients.layers());
        match (&mut self.first, &mut self.second) {
            (Some(first), Some(second)) => {
                let states = first.layers_mut().iter_mut().zip(second.layers_mut());
                for ((layer, gradient), (m, v)) in layers.zip(states) {
                    step.adam(
                        layer.weight.view_mut(),
                        gradient.weight.view(),
                        m.weight.view_mut(),
                        v.weight.view_mut(),
                    );
                    step.adam(layer.bias.view_mut(), gradient.bias.view(), m.bias.view_mut(), v.bias.view_mut());
                }
            }
            (Some(velocity), None) => {
                for ((layer, gradient), v) in layers.zip(velocity.layers_mut()) {
                    step.momentum(layer.weight.view_mut(), gradient.weight.view(), v.weight.view_mut());
                    step.momentum(layer.bias.view_mut(), gradient.bias.view(), v.bias.view_mut());
                }
            }
            (None, _) => {
                for (layer, gradient) in layers {
                    step.sgd(layer.weight.view_mut(), gradient.weight.view());
                    step.sgd(layer.bias.view_mut(), gradient.bias.view());
                }
            }
        }
    }
}

/// The numbers of one step, computed in double precision and rounded once.
struct Step<F> {
    /// η
    learning_rate: F,
    /// λ in the gradient
    coupled_decay: F,
    /// 1 − ηλ of AdamW, else 1
    shrink: F,
    /// µ, or β₁
    beta1: F,
    /// Whether momentum looks ahead.
    nesterov: bool,
    /// 1 − β₁
    one_minus_beta1: F,
    /// β₂
    beta2: F,
    /// 1 − β₂
    one_minus_beta2: F,
    /// η / (1 − β₁ᵗ)
    corrected_rate: F,
    /// 1 / √(1 − β₂ᵗ)
    inverse_root_of_correction2: F,
    /// ε
    epsilon: F,
}

impl<F: Scalar> Step<F> {
    fn new(rule: &Optimizer, steps: i32, learning_rate: f64) -> Self {
        let (beta1, beta2, epsilon) = match *rule {
            Optimizer::Sgd { .. } => (0.0, 0.0, 0.0),
            Optimizer::Momentum { momentum, .. } => (momentum, 0.0, 0.0),
            Optimizer::Adam { beta1, beta2, epsilon, .. } | Optimizer::AdamW { beta1, beta2, epsilon, .. } => {
                (beta1, beta2, epsilon)
            }
        };
        let (coupled_decay, shrink) = match *rule {
            Optimizer::AdamW { weight_decay, .. } => (0.0, 1.0 - learning_rate * weight_decay),
            _ => (rule.weight_decay(), 1.0),
        };
        Self {
            learning_rate: F::from_f64(learning_rate),
            coupled_decay: F::from_f64(coupled_decay),
            shrink: F::from_f64(shrink),
            beta1: F::from_f64(beta1),
            nesterov: matches!(rule, Optimizer::Momentum { nesterov: true, .. }),
            one_minus_beta1: F::from_f64(1.0 - beta1),
            beta2: F::from_f64(beta2),
            one_minus_beta2: F::from_f64(1.0 - beta2),
            corrected_rate: F::from_f64(learning_rate / (1.0 - beta1.powi(steps))),
            inverse_root_of_correction2: F::from_f64((1.0 - beta2.powi(steps)).sqrt().recip()),
            epsilon: F::from_f64(epsilon),
        }
    }

    fn sgd<D: Dimension>(&self, parameters: ArrayViewMut<'_, F, D>, gradients: ArrayView<'_, F, D>) {
        Zip::from(parameters).and(gradients).for_each(|parameter, &gradient| {
            *parameter -= self.learning_rate * (gradient + self.coupled_decay * *parameter);
        });
    }

    fn momentum<D: Dimension>(
        &self,
        parameters: ArrayViewMut<'_, F, D>,
        gradients: ArrayView<'_, F, D>,
        velocities: ArrayViewMut<'_, F, D>,
    ) {
        Zip::from(parameters).and(gradients).and(velocities).for_each(|parameter, &gradient, velocity| {
            let gradient = gradient + self.coupled_decay * *parameter;
            *velocity = self.beta1 * *velocity + gradient;
            let direction = if self.nesterov { gradient + self.beta1 * *velocity } else { *velocity };
            *parameter -= self.learning_rate * direction;
        });
    }

    fn adam<D: Dimension>(
        &self,
        parameters: ArrayViewMut<'_, F, D>,
        gradients: ArrayView<'_, F, D>,
        first_moments: ArrayViewMut<'_, F, D>,
        second_moments: ArrayViewMut<'_, F, D>,
    ) {
        Zip::from(parameters).and(gradients).and(first_moments).and(second_moments).for_each(
            |parameter, &gradient, m, v| {
                let gradient = gradient + self.coupled_decay * *parameter;
                *m = self.beta1 * *m + self.one_minus_beta1 * gradient;
                *v = self.beta2 * *v + self.one_minus_beta2 * gradient * gradient;
                let denominator = v.sqrt() * self.inverse_root_of_correction2 + self.epsilon;
                *parameter = *parameter * self.shrink - self.corrected_rate * *m / denominator;
            },
        );
    }
}

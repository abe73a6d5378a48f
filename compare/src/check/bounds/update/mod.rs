//! One step of an update rule for one parameter, and the error of the parameter after it: equations (14) to (17) of the
//! [error model](crate::check#error-model).
//!
//! The step starts from the parameter θ that the candidate had before it, which is known exactly. Errors are inherited
//! only from the gradient and from the state of the rule. The formula of the reference, evaluated with
//! [`Uncertain`] numbers, gives the derivatives of the new state and parameter with respect to the old state and the
//! gradient, from which the errors follow. Each variance is split in two: that of the rounding errors in the state and in
//! the step, which are independent between parameters, and that of the errors of the gradients, which are not. The
//! projection, equation (18), needs the two parts separately.
//!
//! Errors that do not change sign from step to step or from element to element are *systematic* and are added linearly:
//! the rounding of hyper-parameters, and the effect of undecided units, whose derivative may have either value after
//! rounding, on a gradient.
//!
//! Limits: quotients such as Adam's m̂/(√v̂ + ε) are linearized. If the relative error of a denominator exceeds 0.3, the
//! quotient is *indeterminate*, and any step up to the largest that the rule can take is accepted. So it is if the linear
//! bound is larger than that.

mod largest_step;

use largest_step::BoundedStep;
use mlp_parity_scratch::reference::{Number, STATE_SIZE, UpdateRule, UpdateStep};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefMutIterator, ParallelIterator};

use super::confidence::LAMBDA;
use super::uncertain::{Rounding, Uncertain};

/// Index of the gradient among the inputs of an update. The state follows.
const GRADIENT: usize = 0;

/// Index of the direction of RMSprop with momentum among the inputs.
const DIRECTION: usize = 2;

/// The inputs of an update of one parameter, with their errors: the gradient, and the state of the update rule. Between two
/// steps, the entries of the gradient are zero.
#[derive(Clone, Copy, Debug)]
struct Inputs<const INPUTS: usize> {
    /// The reference's values.
    value: [f64; INPUTS],
    /// Variances of the rounding errors in the state.
    rounding_variance: [f64; INPUTS],
    /// Covariance matrix of the errors that the gradients cause.
    gradient_covariance: [[f64; INPUTS]; INPUTS],
    /// Bounds on the systematic errors.
    systematic: [f64; INPUTS],
    /// Largest magnitude that the direction of RMSprop's momentum can have, whatever the gradients are.
    largest_direction: f64,
    /// The moments of the state that the steps started from: zero, unless it was that of a trained network.
    initial_moments: [f64; 2],
}

/// One element of a gradient, with bounds on its errors.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) struct Gradient {
    pub(in crate::check) value: f64,
    /// E²(g): bound on the variance of the gradient's error.
    pub(in crate::check) variance: f64,
    /// S(g): bound on errors of the gradient that do not change sign at random, such as those of undecided units.
    pub(in crate::check) systematic: f64,
}

/// The error estimate of one parameter after an optimizer step.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::check) struct StepError {
    /// Variance of the rounding errors in the step and in the optimizer's state.
    pub(in crate::check) rounding_variance: f64,
    /// Variance of the errors that the gradients cause.
    pub(in crate::check) gradient_variance: f64,
    /// Bound on the systematic errors, which do not change sign at random and therefore add up linearly.
    pub(in crate::check) systematic: f64,
    /// A rounding error that is random in one element but may be the same in many. All steps of Adam have about the
    /// same size, so parameters of similar magnitude are rounded in the same direction. Used only in the projection,
    /// equation (18).
    pub(in crate::check) correlated: f64,
    /// True if a term of the update, other than the parameter after it, may exceed the largest finite number of the
    /// candidate's precision, so that the error has no bound.
    pub(in crate::check) overflows: bool,
    /// True if the denominator of a quotient may be mostly rounding error, so that any step up to the largest that the
    /// rule can take is correct.
    pub(in crate::check) indeterminate: bool,
}

impl StepError {
    /// Returns the error bound of the parameter after the step: λ standard deviations of the random errors, plus the
    /// systematic errors.
    pub(in crate::check) fn bound(&self) -> f64 {
        LAMBDA * (self.rounding_variance + self.gradient_variance).sqrt() + self.systematic
    }
}

/// The optimizer state of a tensor, with its errors.
pub(in crate::check) trait TensorState: Send {
    /// Sets the moment with this index to that of a trained network, which has no error.
    fn restore(&mut self, index: usize, values: &[f64]);

    /// Estimates the error of each parameter after a step that starts from `before`, the candidate's own values, with
    /// gradients that include coupled weight decay. `taken` is the number of steps since the state had no error, with this
    /// one. Updates the state to that after the step.
    fn estimate(
        &mut self,
        step: UpdateStep,
        taken: i32,
        before: &[f64],
        gradients: &[Gradient],
        rounding: &Rounding,
    ) -> Vec<StepError>;
}

/// Returns the state of a tensor of `count` parameters before the first step, which has no error.
pub(in crate::check) fn initial_state(rule: &UpdateRule, count: usize) -> Box<dyn TensorState> {
    match rule.state_size() {
        0 => Box::new(vec![Inputs::<1>::initial(rule); count]),
        1 => Box::new(vec![Inputs::<2>::initial(rule); count]),
        2 => Box::new(vec![Inputs::<3>::initial(rule); count]),
        _ => Box::new(vec![Inputs::<4>::initial(rule); count]),
    }
}

impl<const INPUTS: usize> TensorState for Vec<Inputs<INPUTS>> {
    fn restore(&mut self, index: usize, values: &[f64]) {
        for (inputs, &value) in self.iter_mut().zip(values) {
            let initial = inputs.initial_moments.get_mut(index);
            inputs.value.get_mut(index + 1).into_iter().chain(initial).for_each(|moment| *moment = value);
        }
    }

    fn estimate(
        &mut self,
        step: UpdateStep,
        taken: i32,
        before: &[f64],
        gradients: &[Gradient],
        rounding: &Rounding,
    ) -> Vec<StepError> {
        let step = BoundedStep::new(step, taken);
        let elements = self.par_iter_mut().zip(before).zip(gradients);
        elements.map(|((inputs, &before), &gradient)| inputs.step(&step, before, gradient, rounding)).collect()
    }
}

impl<const INPUTS: usize> Inputs<INPUTS> {
    /// Returns the state before the first step.
    fn initial(rule: &UpdateRule) -> Self {
        let state = rule.initial_state(&0.0);
        Self {
            value: std::array::from_fn(|input| input.checked_sub(1).map_or(0.0, |index| state[index])),
            rounding_variance: [0.0; INPUTS],
            gradient_covariance: [[0.0; INPUTS]; INPUTS],
            systematic: [0.0; INPUTS],
            largest_direction: 0.0,
            initial_moments: [0.0; 2],
        }
    }

    /// Estimates the error of the parameter after a step, and updates the state.
    fn step(&mut self, step: &BoundedStep, before: f64, gradient: Gradient, rounding: &Rounding) -> StepError {
        let roundoff = rounding.roundoff;
        self.value[GRADIENT] = gradient.value;
        self.gradient_covariance[GRADIENT][GRADIENT] = gradient.variance;
        self.systematic[GRADIENT] = gradient.systematic;
        let input = |index| Uncertain::<[f64; INPUTS]>::input(index, self.value[index], self.radius(index), rounding);
        let none = Uncertain::exact(0.0, rounding);
        let mut state: [_; STATE_SIZE] =
            std::array::from_fn(|index| if index + 1 < INPUTS { input(index + 1) } else { none });
        let difference = step.step.difference(&input(GRADIENT), &mut state);
        let shrunk = step.step.shrunk(&Uncertain::exact(before, rounding));
        let after = shrunk - difference;
        let [rounding_variance, gradient_variance, systematic] = self.errors(&after);
        self.propagate(&state, &step.step);
        // The last subtraction may overflow: the parameter after the step is then rounded to infinity.
        let overflows = difference.overflows || shrunk.overflows;
        let is_normalized = !matches!(step.step.rule, UpdateRule::Momentum { .. });
        let linear = StepError {
            // An implementation may compute the difference with one more rounding, in another order.
            rounding_variance: rounding_variance + (roundoff * difference.value).powi(2),
            gradient_variance,
            systematic,
            correlated: if is_normalized { roundoff * after.value.abs() } else { 0.0 },
            overflows,
            indeterminate: false,
        };
        // The largest step, with a margin for rounding, in either direction.
        let largest = StepError {
            rounding_variance: (roundoff * after.value).powi(2) + shrunk.variance,
            systematic: step.largest(self.largest_direction, self.initial_moments) * 1.01
                + difference.value.abs()
                + shrunk.systematic,
            overflows,
            indeterminate: true,
            ..StepError::default()
        };
        if after.indeterminate || is_normalized && linear.bound() > largest.bound() { largest } else { linear }
    }

    /// Returns a bound on the whole error of an input.
    fn radius(&self, index: usize) -> f64 {
        let variance = self.rounding_variance[index] + self.gradient_covariance[index][index];
        LAMBDA * variance.sqrt() + self.systematic[index]
    }

    /// Returns the error of a result: the variance of its rounding errors, the variance that the gradients cause, and the
    /// systematic error.
    fn errors(&self, result: &Uncertain<'_, [f64; INPUTS]>) -> [f64; 3] {
        let (mut variance, mut systematic) = (result.variance, result.systematic);
        for (index, derivative) in result.gradient.iter().enumerate() {
            variance += derivative * derivative * self.rounding_variance[index];
            systematic += derivative.abs() * self.systematic[index];
        }
        // Rounding in this computation may make a variance near zero negative.
        [variance, self.covariance(result, result).max(0.0), systematic]
    }

    /// Returns the covariance of the errors of two results that the gradients cause.
    fn covariance(&self, first: &Uncertain<'_, [f64; INPUTS]>, second: &Uncertain<'_, [f64; INPUTS]>) -> f64 {
        let mut sum = 0.0;
        for (row, left) in self.gradient_covariance.iter().zip(&first.gradient) {
            for (covariance, right) in row.iter().zip(&second.gradient) {
                sum += left * covariance * right;
            }
        }
        sum
    }

    /// Replaces the state by that after the step, with its errors.
    fn propagate(&mut self, state: &[Uncertain<'_, [f64; INPUTS]>; STATE_SIZE], step: &UpdateStep) {
        let Self { largest_direction, initial_moments, .. } = *self;
        let mut next = Self { largest_direction, initial_moments, ..Self::initial(&step.rule) };
        for (index, number) in (1..INPUTS).zip(state) {
            next.value[index] = number.value;
            [next.rounding_variance[index], next.gradient_covariance[index][index], next.systematic[index]] =
                self.errors(number);
            for (other, second) in (1..INPUTS).zip(state).skip(index) {
                let covariance = self.covariance(number, second);
                (next.gradient_covariance[index][other], next.gradient_covariance[other][index]) =
                    (covariance, covariance);
            }
        }
        if let UpdateRule::RmsProp { alpha, momentum, with_rate, .. } = step.rule {
            let rate = if with_rate { step.learning_rate } else { 1.0 };
            next.largest_direction = momentum * largest_direction + rate / (1.0 - alpha).sqrt();
            if DIRECTION < INPUTS && state[DIRECTION - 1].indeterminate {
                next.limit_direction();
            }
        }
        *self = next;
    }

    /// Bounds the error of RMSprop's direction, which comes from an indeterminate quotient, by its largest value.
    fn limit_direction(&mut self) {
        self.rounding_variance[DIRECTION] = 0.0;
        self.gradient_covariance[DIRECTION] = [0.0; INPUTS];
        self.gradient_covariance.iter_mut().for_each(|row| row[DIRECTION] = 0.0);
        self.systematic[DIRECTION] = 1.01 * self.largest_direction + self.value[DIRECTION].abs();
    }
}

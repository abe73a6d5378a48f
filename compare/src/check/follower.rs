//! The oracle beside a participant that trains: each step is judged from what the participant had before it.

use mlp_parity::{Arithmetic, MlpConfig, Optimizer, Parameters, Result};
use mlp_parity_scratch::Textbook;
use ndarray::{ArrayD, ArrayViewD, IxDyn};

use super::bounds::Expected;
use super::bounds::confidence::LAMBDA;
use super::bounds::{Gradient, Moments, Rule, StepError, as_kept};
use super::tensor_check::{Check, Sides, Title};

/// An update this many units of roundoff of its parameter is lost in the parameter's rounding, which then follows it.
const LOST: f64 = 8.0;

/// The oracle with its optimizer, and what is known of the participant's.
pub(in crate::check) struct Follower {
    oracle: Textbook<f64>,
    arithmetic: Arithmetic,
    optimizer: Optimizer,
    steps: i32,
    /// Of every element of every tensor.
    moments: Vec<Vec<Moments>>,
}

/// The gradients of one step.
pub(in crate::check) struct Gradients {
    values: Parameters<f64>,
    /// In the order of the tensors; none where the gradients were given.
    errors: Vec<Option<super::bounds::Error>>,
}

impl Gradients {
    /// Given to everyone.
    pub(in crate::check) fn exact(values: Parameters<f64>) -> Self {
        let errors = values.tensors().map(|_| None).collect();
        Self { values, errors }
    }

    /// Computed by everyone.
    pub(in crate::check) fn of(expected: Expected) -> Self {
        let values = expected.oracle;
        Self { values, errors: expected.gradients.into_iter().map(|(_, estimate)| estimate.error).collect() }
    }
}

/// One tensor after a step.
pub(in crate::check) struct Stepped {
    pub(in crate::check) name: String,
    pub(in crate::check) before: ArrayD<f64>,
    pub(in crate::check) expected: ArrayD<f64>,
    errors: Vec<StepError>,
    /// Whether the errors of its gradients have no common source.
    independent: bool,
}

impl Follower {
    pub(in crate::check) fn new(config: &MlpConfig, optimizer: &Optimizer, arithmetic: &Arithmetic) -> Result<Self> {
        let optimizer = as_kept(optimizer, arithmetic);
        let mut oracle = Textbook::new(config.clone(), Parameters::zeros(config))?;
        oracle.set_optimizer(&optimizer)?;
        let moments = oracle.parameters().tensors().map(|(_, values)| vec![Moments::default(); values.len()]).collect();
        Ok(Self { oracle, arithmetic: *arithmetic, optimizer, steps: 0, moments })
    }

    /// What the participant, which had the parameters `before`, must have after a step.
    pub(in crate::check) fn step(
        &mut self,
        before: &Parameters<f64>,
        gradients: &Gradients,
        learning_rate: f64,
    ) -> Result<Vec<Stepped>> {
        self.oracle.set_parameters(before)?;
        self.oracle.apply_gradients(&gradients.values, learning_rate)?;
        self.steps += 1;
        let rule = Rule::new(&self.optimizer, learning_rate, self.steps, &self.arithmetic);
        let tensors = before.tensors().zip(self.oracle.parameters().tensors()).zip(gradients.values.tensors());
        let mut stepped = Vec::new();
        for (((((name, before), (_, after)), (_, gradient)), error), moments) in
            tensors.zip(&gradients.errors).zip(&mut self.moments)
        {
            let chance = error.as_ref().map(|error| error.rounding());
            let open = error.as_ref().and_then(|error| error.undecided.as_ref());
            let values = before.iter().zip(&gradient).zip(moments).enumerate();
            let errors = values.map(|(index, ((&before, &value), moments))| {
                let at = |matrix: &ndarray::Array2<f64>| matrix.as_slice().map_or(f64::NAN, |values| values[index]);
                let variance = chance.as_ref().map_or(0.0, |chance| (at(chance) / LAMBDA).powi(2));
                rule.step(before, Gradient { value, variance, undecided: open.map_or(0.0, at) }, moments)
            });
            let errors = errors.collect();
            let (before, expected) = (before.to_owned(), after.to_owned());
            stepped.push(Stepped { name, before, expected, errors, independent: error.is_none() });
        }
        Ok(stepped)
    }
}

impl Stepped {
    /// How far off each element may be.
    pub(in crate::check) fn allowed(&self) -> ArrayD<f64> {
        let allowed = self.errors.iter().map(StepError::allowed).collect();
        ArrayD::from_shape_vec(IxDyn(self.expected.shape()), allowed)
            .unwrap_or_else(|_| ArrayD::from_elem(IxDyn(self.expected.shape()), f64::NAN))
    }

    /// Element by element, and the projection on the update.
    pub(in crate::check) fn checks(&self, title: &Title<'_>, observed: ArrayViewD<'_, f64>) -> Vec<Check> {
        let allowed = self.allowed();
        let undecided = self.errors.iter().filter(|error| error.undecided).count();
        let sides = Sides {
            expected: self.expected.view(),
            observed: observed.view(),
            allowed: allowed.view(),
            worst_case: None,
            undecided,
        };
        let mut checks = vec![title.check(&self.name, &sides)];
        if observed.shape() == self.expected.shape() {
            checks.extend(self.projection(title, observed));
        }
        checks
    }

    /// The update as a multiple of the right one, equation (18): what is too small to be seen in any element.
    fn projection(&self, title: &Title<'_>, observed: ArrayViewD<'_, f64>) -> Option<Check> {
        let [mut along, mut length, mut own, mut of_gradients, mut independent, mut systematic] = [0.0; 6];
        let mut left_out = 0;
        for (((&before, &expected), &observed), error) in
            self.before.iter().zip(&self.expected).zip(&observed).zip(&self.errors)
        {
            let update = expected - before;
            if error.undecided || update.abs() <= LOST * title.unit_roundoff * expected.abs() {
                left_out += 1;
                continue;
            }
            let square = update * update;
            along += (observed - expected) * update;
            length += square;
            own += error.own * square;
            of_gradients += error.of_gradients;
            independent += error.of_gradients * square;
            systematic += (error.systematic + error.alike) * update.abs();
        }
        if length == 0.0 {
            return None;
        }
        let by_gradients = if self.independent { independent } else { of_gradients * length };
        let allowed = (LAMBDA * (own.sqrt() + by_gradients.sqrt()) + systematic) / length;
        let tensor = format!("{}, projected", self.name);
        Some(title.element(&tensor, Vec::new(), [1.0, 1.0 + along / length, allowed], None, left_out))
    }
}

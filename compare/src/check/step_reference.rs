//! The reference beside a candidate that trains: each step is judged from what the candidate had before it.

use mlp_parity::{Arithmetic, MlpConfig, Optimizer, Parameters, Result};
use mlp_parity_scratch::ReferenceMlp;
use ndarray::{ArrayD, ArrayViewD, IxDyn};

use super::bounds::Expected;
use super::bounds::confidence::LAMBDA;
use super::bounds::{Gradient, Moments, Rule, StepError, as_kept};
use super::tensor_check::{Check, CheckContext, TensorPair};

/// An update this many units of roundoff of its parameter is lost in the parameter's rounding, which then follows it.
const LOST: f64 = 8.0;

/// The reference with its optimizer, and what is known of the candidate's.
pub(in crate::check) struct StepReference {
    reference: ReferenceMlp<f64>,
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
        let values = expected.reference;
        Self { values, errors: expected.gradients.into_iter().map(|(_, estimate)| estimate.error).collect() }
    }
}

/// One tensor after a step.
pub(in crate::check) struct UpdatedTensor {
    pub(in crate::check) name: String,
    pub(in crate::check) before: ArrayD<f64>,
    pub(in crate::check) expected: ArrayD<f64>,
    errors: Vec<StepError>,
    /// Whether the errors of its gradients have no common source.
    independent: bool,
}

impl StepReference {
    pub(in crate::check) fn new(config: &MlpConfig, optimizer: &Optimizer, arithmetic: &Arithmetic) -> Result<Self> {
        let optimizer = as_kept(optimizer, arithmetic);
        let mut reference = ReferenceMlp::new(config.clone(), Parameters::zeros(config))?;
        reference.set_optimizer(&optimizer)?;
        let moments =
            reference.parameters().tensors().map(|(_, values)| vec![Moments::default(); values.len()]).collect();
        Ok(Self { reference, arithmetic: *arithmetic, optimizer, steps: 0, moments })
    }

    /// What the candidate, which had the parameters `before`, must have after a step.
    pub(in crate::check) fn step(
        &mut self,
        before: &Parameters<f64>,
        gradients: &Gradients,
        learning_rate: f64,
    ) -> Result<Vec<UpdatedTensor>> {
        self.reference.set_parameters(before)?;
        self.reference.apply_gradients(&gradients.values, learning_rate)?;
        self.steps += 1;
        let rule = Rule::new(&self.optimizer, learning_rate, self.steps, &self.arithmetic);
        let tensors = before.tensors().zip(self.reference.parameters().tensors()).zip(gradients.values.tensors());
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
            stepped.push(UpdatedTensor { name, before, expected, errors, independent: error.is_none() });
        }
        Ok(stepped)
    }
}

impl UpdatedTensor {
    /// How far off each element may be.
    pub(in crate::check) fn bound(&self) -> ArrayD<f64> {
        let bound = self.errors.iter().map(StepError::bound).collect();
        ArrayD::from_shape_vec(IxDyn(self.expected.shape()), bound)
            .unwrap_or_else(|_| ArrayD::from_elem(IxDyn(self.expected.shape()), f64::NAN))
    }

    /// Element by element, and the projection on the update.
    pub(in crate::check) fn checks(&self, context: &CheckContext<'_>, actual: ArrayViewD<'_, f64>) -> Vec<Check> {
        let bound = self.bound();
        let undecided = self.errors.iter().filter(|error| error.undecided).count();
        let pair = TensorPair {
            expected: self.expected.view(),
            actual: actual.view(),
            bound: bound.view(),
            worst_case_bound: None,
            undecided,
        };
        let mut checks = vec![context.check(&self.name, &pair)];
        if actual.shape() == self.expected.shape() {
            checks.extend(self.projection(context, actual));
        }
        checks
    }

    /// The update as a multiple of the right one, equation (18): what is too small to be seen in any element.
    fn projection(&self, context: &CheckContext<'_>, actual: ArrayViewD<'_, f64>) -> Option<Check> {
        let [mut along, mut length, mut own, mut of_gradients, mut independent, mut systematic] = [0.0; 6];
        let mut left_out = 0;
        for (((&before, &expected), &actual), error) in
            self.before.iter().zip(&self.expected).zip(&actual).zip(&self.errors)
        {
            let update = expected - before;
            if error.undecided || update.abs() <= LOST * context.unit_roundoff * expected.abs() {
                left_out += 1;
                continue;
            }
            let square = update * update;
            along += (actual - expected) * update;
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
        let bound = (LAMBDA * (own.sqrt() + by_gradients.sqrt()) + systematic) / length;
        let tensor = format!("{}, projected", self.name);
        Some(context.element(&tensor, Vec::new(), [1.0, 1.0 + along / length, bound], None, left_out))
    }
}

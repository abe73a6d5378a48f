//! The expected parameters after a training step, with error bounds, and the comparison of a candidate's parameters
//! with them: element by element, and by the projection of equation (18).
//!
//! Every step starts from the candidate's own parameters before it. Rounding errors of one step therefore do not carry
//! over to the next, and errors accumulate only in the optimizer's state.

use mlp_parity::{Arithmetic, MlpConfig, Optimizer, Parameters, Result};
use mlp_parity_scratch::ReferenceMlp;
use ndarray::{Array2, ArrayD, ArrayViewD, IxDyn};

use super::bounds::confidence::LAMBDA;
use super::bounds::{ErrorEstimate, Expected, Gradient, Moments, StepError, UpdateRule, with_stored_hyper_parameters};
use super::tensor_check::{Check, CheckContext, TensorPair};

/// Largest update, in unit roundoffs of its parameter, that counts as lost when the parameter is rounded. The
/// projection leaves such elements out, because their errors depend on the update itself.
const LOST_UPDATE: f64 = 8.0;

/// The reference network with its optimizer, and the error estimates of the candidate's optimizer state.
pub(in crate::check) struct StepReference {
    reference: ReferenceMlp<f64>,
    arithmetic: Arithmetic,
    optimizer: Optimizer,
    /// Number of steps taken so far.
    steps: i32,
    /// The optimizer state of every element: one list per tensor, in the order of the parameters.
    moments: Vec<Vec<Moments>>,
}

/// The gradients of one step, with their errors.
pub(in crate::check) struct Gradients {
    values: Parameters<f64>,
    /// The error estimates in the order of the tensors; `None` for gradients that are given to the candidate.
    errors: Vec<Option<ErrorEstimate>>,
}

impl Gradients {
    /// Wraps gradients that are given to candidate and reference, and so have no error.
    pub(in crate::check) fn exact(values: Parameters<f64>) -> Self {
        let errors = values.tensors().map(|_| None).collect();
        Self { values, errors }
    }

    /// Returns the expected gradients of a batch, with their error estimates, for a step in which the candidate
    /// computes the gradients itself.
    pub(in crate::check) fn computed(expected: Expected) -> Self {
        let values = expected.reference_gradients;
        Self { values, errors: expected.gradients.into_iter().map(|(_, gradient)| gradient.error).collect() }
    }
}

/// The expected values of one parameter tensor after a step.
pub(in crate::check) struct UpdatedTensor {
    pub(in crate::check) name: String,
    /// The candidate's values before the step.
    pub(in crate::check) before: ArrayD<f64>,
    /// The reference's values after a step from `before`.
    pub(in crate::check) expected: ArrayD<f64>,
    /// The error estimate of each element, in row-major order.
    errors: Vec<StepError>,
    /// True if the gradient was given to the candidate, so that its elements have no errors from a common source.
    independent: bool,
}

impl StepReference {
    /// Creates the reference for a candidate that starts with a fresh optimizer state and computes with `arithmetic`.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Configuration`] if a hyper-parameter of the optimizer is invalid.
    pub(in crate::check) fn new(config: &MlpConfig, optimizer: &Optimizer, arithmetic: &Arithmetic) -> Result<Self> {
        let optimizer = with_stored_hyper_parameters(optimizer, arithmetic);
        let mut reference = ReferenceMlp::new(config.clone(), Parameters::zeros(config))?;
        reference.set_optimizer(&optimizer)?;
        let moments =
            reference.parameters().tensors().map(|(_, values)| vec![Moments::default(); values.len()]).collect();
        Ok(Self { reference, arithmetic: *arithmetic, optimizer, steps: 0, moments })
    }

    /// Takes a step from the candidate's parameters `before`, and returns the expected tensors after it; `None` if a
    /// term of the updates may overflow in the candidate's precision. Later steps cannot be compared then either.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Shape`] if the parameters or the gradients do not fit the network.
    pub(in crate::check) fn step(
        &mut self,
        before: &Parameters<f64>,
        gradients: &Gradients,
        learning_rate: f64,
    ) -> Result<Option<Vec<UpdatedTensor>>> {
        self.reference.set_parameters(before)?;
        self.reference.apply_gradients(&gradients.values, learning_rate)?;
        self.steps += 1;
        let rule = UpdateRule::new(&self.optimizer, learning_rate, self.steps, &self.arithmetic);
        let tensors = before.tensors().zip(self.reference.parameters().tensors()).zip(gradients.values.tensors());
        let mut updated = Vec::new();
        for (((((name, before), (_, after)), (_, gradient)), error), moments) in
            tensors.zip(&gradients.errors).zip(&mut self.moments)
        {
            let rounding_bound = error.as_ref().map(|error| error.rounding_bound());
            let undecided = error.as_ref().and_then(|error| error.undecided.as_ref());
            let elements = before.iter().zip(&gradient).zip(moments).enumerate();
            let errors = elements.map(|(index, ((&before, &value), moments))| {
                let at = |matrix: &Array2<f64>| matrix.as_slice().map_or(f64::NAN, |values| values[index]);
                // The variance that corresponds to the bound. It is smaller than E² if the worst case limits the bound,
                // and larger if there are correlated errors.
                let variance = rounding_bound.as_ref().map_or(0.0, |bound| (at(bound) / LAMBDA).powi(2));
                rule.step(before, Gradient { value, variance, undecided: undecided.map_or(0.0, at) }, moments)
            });
            let errors = errors.collect();
            let (before, expected) = (before.to_owned(), after.to_owned());
            updated.push(UpdatedTensor { name, before, expected, errors, independent: error.is_none() });
        }
        let overflows = updated.iter().flat_map(|tensor| &tensor.errors).any(|error| error.overflows);
        Ok((!overflows).then_some(updated))
    }
}

impl UpdatedTensor {
    /// Returns the error bound of each element.
    pub(in crate::check) fn bound(&self) -> ArrayD<f64> {
        let bound = self.errors.iter().map(StepError::bound).collect();
        ArrayD::from_shape_vec(IxDyn(self.expected.shape()), bound)
            .unwrap_or_else(|_| ArrayD::from_elem(IxDyn(self.expected.shape()), f64::NAN))
    }

    /// Compares the candidate's values after the step: element by element, and their projection on the update.
    pub(in crate::check) fn checks(&self, context: &CheckContext<'_>, actual: ArrayViewD<'_, f64>) -> Vec<Check> {
        let bound = self.bound();
        let undecided = self.errors.iter().filter(|error| error.indeterminate).count();
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

    /// Compares the length of the candidate's update, projected on the expected update, with the expected length,
    /// equation (18). This reveals a relative error common to all elements even if it is within the bound of each of
    /// them. Returns `None` if the updates of all elements are lost in rounding.
    fn projection(&self, context: &CheckContext<'_>, actual: ArrayViewD<'_, f64>) -> Option<Check> {
        let [mut error_along_update, mut squared_length, mut systematic] = [0.0; 3];
        let [mut rounding_variance, mut gradient_variance, mut independent_variance] = [0.0; 3];
        let mut left_out = 0;
        for (((&before, &expected), &actual), error) in
            self.before.iter().zip(&self.expected).zip(&actual).zip(&self.errors)
        {
            let update = expected - before;
            // An infinite value has no length. Its element is checked on its own.
            if !actual.is_finite()
                || error.indeterminate
                || update.abs() <= LOST_UPDATE * context.unit_roundoff * expected.abs()
            {
                left_out += 1;
                continue;
            }
            let square = update * update;
            error_along_update += (actual - expected) * update;
            squared_length += square;
            rounding_variance += error.rounding_variance * square;
            gradient_variance += error.gradient_variance;
            independent_variance += error.gradient_variance * square;
            systematic += (error.systematic + error.correlated) * update.abs();
        }
        if squared_length == 0.0 {
            return None;
        }
        // Errors of computed gradients have common sources. Without independence, only the Cauchy–Schwarz inequality
        // holds.
        let by_gradients = if self.independent { independent_variance } else { gradient_variance * squared_length };
        let bound = (LAMBDA * (rounding_variance.sqrt() + by_gradients.sqrt()) + systematic) / squared_length;
        let tensor = format!("{} (projected)", self.name);
        let multiple = 1.0 + error_along_update / squared_length;
        Some(context.element(&tensor, Vec::new(), [1.0, multiple, bound], None, left_out))
    }
}

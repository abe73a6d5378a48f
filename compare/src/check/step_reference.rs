//! The expected parameters after a training step, with error bounds, and the comparison of a candidate's parameters
//! with them: element by element, and by the projection of equation (18).
//!
//! Every step starts from the candidate's own parameters before it. Rounding errors of one step therefore do not carry
//! over to the next, and errors accumulate only in the optimizer's state.

use mlp_parity::{Arithmetic, OptimizerState, Parameters, Result};
use mlp_parity_scratch::ReferenceMlp;
use mlp_parity_scratch::reference::Specification;
use ndarray::{ArrayD, ArrayViewD, IxDyn};

use super::bounds::confidence::LAMBDA;
use super::bounds::{self, BoundedTensor, Gradient, Gradients, Rounding, StepError, TensorState};
use super::tensor_check::{Check, CheckContext, TensorPair};

/// Largest update, in unit roundoffs of its parameter, that counts as lost when the parameter is rounded. The
/// projection leaves such elements out, because their errors depend on the update itself.
const LOST_UPDATE: f64 = 8.0;

/// The reference network with its optimizer, and the error estimates of the candidate's optimizer state.
pub(in crate::check) struct StepReference {
    reference: ReferenceMlp<f64>,
    rounding: Rounding,
    /// Number of steps that the state started from; 0 for a new network.
    start: i32,
    /// Number of steps taken since then.
    steps: i32,
    /// The optimizer state of each tensor, in the order of the parameters.
    states: Vec<Box<dyn TensorState>>,
    /// The gradients of each tensor that the last step kept for the next one.
    kept_gradients: Option<Vec<Vec<Gradient>>>,
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
    /// Creates the reference for a candidate that starts with a new optimizer state and computes with `arithmetic`.
    /// `parameters` supplies the shapes of the network.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Shape`] if the parameters do not fit the specification.
    pub(in crate::check) fn new(
        specification: &Specification,
        parameters: &Parameters<f64>,
        arithmetic: &Arithmetic,
    ) -> Result<Self> {
        let specification = with_stored_hyper_parameters(specification, arithmetic);
        let initial = |values: ArrayViewD<'_, f64>| bounds::initial_state(&specification.update_rule, values.len());
        let states = parameters.tensors().map(|(_, values)| initial(values)).collect();
        let reference = ReferenceMlp::with_specification(specification, parameters.clone())?;
        Ok(Self { reference, rounding: Rounding::new(arithmetic), start: 0, steps: 0, states, kept_gradients: None })
    }

    /// Continues from the optimizer state of a trained network, which is known exactly.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Shape`] if the state does not fit the optimizer and the network.
    pub(in crate::check) fn continue_from(&mut self, state: &OptimizerState) -> Result<()> {
        // Momentum with a coefficient of 0 has a velocity, but does not use it.
        let used = self.reference.specification().update_rule.state_size();
        let moments: Vec<Parameters<f64>> = state.moments.iter().take(used).map(Parameters::cast).collect();
        self.reference.set_optimizer_state(state.steps, &moments)?;
        self.start = i32::try_from(state.steps).unwrap_or(i32::MAX);
        for (index, moments) in moments.iter().enumerate() {
            for (state, (_, values)) in self.states.iter_mut().zip(moments.tensors()) {
                state.restore(index, &values.iter().copied().collect::<Vec<f64>>());
            }
        }
        Ok(())
    }

    /// Takes a step from the candidate's parameters `before` with the gradients of a batch of `images`, and returns the
    /// expected tensors after it; `None` if a term of the updates may overflow in the candidate's precision. Later steps
    /// cannot be compared then either.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Shape`] if the parameters or the gradients do not fit the network.
    pub(in crate::check) fn step(
        &mut self,
        before: &Parameters<f64>,
        gradients: &Gradients<'_>,
        learning_rate: f64,
        images: usize,
    ) -> Result<Option<Vec<UpdatedTensor>>> {
        self.reference.set_parameters(before)?;
        self.reference.apply_gradients(gradients.values, learning_rate, images)?;
        self.steps += 1;
        let specification = self.reference.specification();
        let (used, kept) = specification.deviations.carried_gradients.carry(
            bounds::with_errors(gradients),
            self.kept_gradients.take(),
            |own, kept| bounds::sum(own, kept, &self.rounding),
        );
        self.kept_gradients = kept;
        let processed = bounds::processed(specification, before, used, images, &self.rounding);
        let mut updated = Vec::new();
        let tensors = before.tensors().zip(self.reference.parameters().tensors()).zip(&gradients.errors);
        let states = self.states.iter_mut().zip(specification.has_tensors());
        for (index, (((((name, before), (_, after)), error), gradients), (state, is_present))) in
            tensors.zip(processed).zip(states).enumerate()
        {
            // The weight and the bias of each layer, in this order.
            let is_bias = name.ends_with(".bias");
            let (before, expected) = (before.as_standard_layout().into_owned(), after.to_owned());
            let errors = match before.as_slice() {
                Some(before) if is_present => {
                    let number = self.start.saturating_add(self.steps);
                    let step = self.reference.update_step(number, learning_rate, images, index / 2, is_bias);
                    state.estimate(step, self.steps, before, &gradients, &self.rounding)
                }
                _ => vec![StepError::default(); before.len()],
            };
            updated.push(UpdatedTensor { name, before, expected, errors, independent: error.is_none() });
        }
        let overflows = updated.iter().flat_map(|tensor| &tensor.errors).any(|error| error.overflows);
        Ok((!overflows).then_some(updated))
    }
}

/// Returns the specification with the hyper-parameters of its optimizer in the precision in which `arithmetic` stores them.
fn with_stored_hyper_parameters(specification: &Specification, arithmetic: &Arithmetic) -> Specification {
    let stored = |value: f64| if arithmetic.single_hyper_parameters { f64::from(value as f32) } else { value };
    let mut specification = specification.clone();
    specification.update_rule = specification.update_rule.map_hyper_parameters(stored);
    specification.weight_decay.coefficient = stored(specification.weight_decay.coefficient);
    specification
}

impl UpdatedTensor {
    /// Returns the error bound of each element.
    pub(in crate::check) fn bound(&self) -> ArrayD<f64> {
        let bound = self.errors.iter().map(StepError::bound).collect();
        ArrayD::from_shape_vec(IxDyn(self.expected.shape()), bound)
            .unwrap_or_else(|_| ArrayD::from_elem(IxDyn(self.expected.shape()), f64::NAN))
    }

    /// Returns the name of the tensor, its gradient (before − after) / rate as recovered from the step, and the error bounds.
    /// The subtraction cancels the parameter, so that its rounding error is divided by the rate.
    pub(in crate::check) fn recovered_gradient(&self, rate: f64, arithmetic: &Arithmetic) -> BoundedTensor {
        let gradient = (&self.before - &self.expected) / rate;
        let roundoff = Rounding::new(arithmetic).roundoff;
        let bound = self.bound() / rate + gradient.mapv(|gradient| 3.0 * roundoff * gradient.abs());
        (self.name.clone(), gradient, bound)
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
        let check = context.check(&self.name, &pair);
        let before = self.before.get(check.index.as_slice()).copied();
        let mut checks = vec![Check { before, ..check }];
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

//! The expected results of a computation beside the recorded ones: first those of the first batch, then step after step.

use mlp_parity::{Arithmetic, Parameters, Result};
use ndarray::{ArrayD, Axis, arr0};

use super::model::{Computation, GradientForm, Results, parameters, parameters_after};
use crate::check::bounds::{self, BoundedMatrix, BoundedTensor, Expected, Gradients, HiddenUnit};
use crate::check::compare::is_vacuous;
use crate::check::step_reference::{StepReference, UpdatedTensor};
use crate::check::tensor_check::{Check, CheckContext, Stage, TensorPair};

/// The comparison of recorded results with those of a computation, unit by unit. A unit is the first batch with its logits,
/// outputs, loss and gradients, or a step with its loss and parameters.
pub(crate) struct Replay<'a> {
    computation: &'a Computation,
    results: &'a Results,
    arithmetic: &'a Arithmetic,
    step_reference: StepReference,
    /// The expected results of the first batch with the initial parameters.
    first_batch: Option<Expected>,
    undecided: Vec<HiddenUnit>,
    /// The number of the next step; `None` before the first batch.
    step: Option<usize>,
    /// The recorded parameters before the next step; `None` if some are missing.
    before: Option<Parameters<f64>>,
}

/// The next unit of a [`Replay`].
pub(crate) enum Unit {
    /// The comparisons of the results that were recorded.
    Comparisons(Vec<Comparison>),
    /// The numbers may overflow, so that neither this unit nor later ones can be compared.
    Overflow,
    /// There are no more results that could be compared.
    End,
}

/// The comparison of one tensor.
pub(crate) struct Comparison {
    pub(crate) stage: Stage,
    pub(crate) tensor: String,
    pub(crate) expected: ArrayD<f64>,
    pub(crate) actual: ArrayD<f64>,
    pub(crate) bound: ArrayD<f64>,
    worst_case_bound: Option<ArrayD<f64>>,
    undecided: usize,
    vacuous: bool,
    /// The step of a parameter, whose update is compared as a whole too.
    updated: Option<UpdatedTensor>,
}

impl<'a> Replay<'a> {
    /// Creates a replay from the beginning.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Shape`] if the parameters do not fit the specification.
    pub(crate) fn new(computation: &'a Computation, results: &'a Results, arithmetic: &'a Arithmetic) -> Result<Self> {
        let step_reference = StepReference::new(&computation.specification, &computation.initial, arithmetic)?;
        let before = Some(computation.initial.clone());
        let (first_batch, undecided, step) = (None, Vec::new(), None);
        Ok(Self { computation, results, arithmetic, step_reference, first_batch, undecided, step, before })
    }

    /// Returns the number of the step that is next; `None` if the first batch is.
    pub(crate) fn step(&self) -> Option<usize> {
        self.step
    }

    /// Returns the undecided units of the first batch.
    pub(crate) fn into_undecided(self) -> Vec<HiddenUnit> {
        self.undecided
    }

    /// Compares the next unit.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Shape`] if parameters or batches do not fit the specification.
    pub(crate) fn next_unit(&mut self) -> Result<Unit> {
        match self.step {
            None => {
                self.step = Some(0);
                self.compare_first_batch()
            }
            Some(step) => {
                self.step = Some(step + 1);
                self.compare_step(step)
            }
        }
    }

    fn expected(&self, parameters: &Parameters<f64>, batch: usize) -> Result<Expected> {
        let specification = self.computation.specification_of_step(self.results, batch);
        Expected::new(&specification, parameters, &self.computation.batches[batch], self.arithmetic)
    }

    fn compare_first_batch(&mut self) -> Result<Unit> {
        let expected = self.expected(&self.computation.initial, 0)?;
        if !expected.is_finite() {
            return Ok(Unit::Overflow);
        }
        let Results { logits, outputs, loss, gradients, .. } = self.results;
        let mut comparisons = Vec::new();
        for (name, expected, actual) in [("logits", &expected.logits, logits), ("outputs", &expected.outputs, outputs)]
        {
            let actual = actual.as_ref().map(|actual| actual.clone().into_dyn());
            comparisons.extend(actual.map(|actual| Comparison::of_matrix(Stage::Logits, name, expected, actual, 0)));
        }
        if let Some(loss) = *loss {
            comparisons.push(Comparison::of_loss(Stage::Loss, self.expected_loss(0, &expected)?, loss));
        }
        if self.computation.gradient_form == GradientForm::Raw {
            let undecided = expected.undecided.len();
            for (name, expected) in expected.gradients.iter().rev() {
                let Some(actual) = gradients.get(name) else { continue };
                let vacuous = is_vacuous(expected);
                let comparison = Comparison::of_matrix(Stage::Gradients, name, expected, actual.clone(), undecided);
                comparisons.push(Comparison { vacuous, ..comparison });
            }
        } else {
            for (name, expected, bound) in self.processed_gradients(&expected)?.into_iter().rev() {
                let actual = gradients.get(&name).cloned();
                comparisons
                    .extend(actual.map(|actual| Comparison::new(Stage::Gradients, &name, [expected, actual, bound])));
            }
        }
        self.undecided.clone_from(&expected.undecided);
        self.first_batch = Some(expected);
        Ok(Unit::Comparisons(comparisons))
    }

    fn compare_step(&mut self, number: usize) -> Result<Unit> {
        let Computation { specification, batches, learning_rates, initial, .. } = self.computation;
        // A step cannot be compared without all parameters before it. Nor can later ones, because the state of the optimizer
        // is unknown from here on.
        let (Some(before), Some(step)) = (self.before.take(), self.results.steps.get(number)) else {
            return Ok(Unit::End);
        };
        let expected = match self.first_batch.take() {
            Some(expected) => expected,
            None => self.expected(&before, number)?,
        };
        if !expected.is_finite() {
            return Ok(Unit::Overflow);
        }
        let mut comparisons = Vec::new();
        if let Some(loss) = step.loss {
            comparisons.push(Comparison::of_loss(Stage::Trajectory, self.expected_loss(number, &expected)?, loss));
        }
        let rate = learning_rates.get(number).copied().unwrap_or_default();
        let images = batches[number].images.nrows();
        let updated = self.step_reference.step(&before, &Gradients::computed(&expected), rate, images)?;
        let Some(updated) = updated else { return Ok(Unit::Overflow) };
        for tensor in updated.into_iter().rev() {
            let actual = step.parameters.get(&tensor.name).cloned();
            comparisons.extend(actual.map(|actual| Comparison::of_parameter(tensor, actual)));
        }
        self.before = parameters(&step.parameters, initial, &specification.biases);
        Ok(Unit::Comparisons(comparisons))
    }

    /// Returns the expected loss of a step, given the results with the parameters before it.
    fn expected_loss(&self, step: usize, before: &Expected) -> Result<BoundedMatrix> {
        let after = parameters_after(self.computation, self.results, step);
        match after.filter(|_| self.computation.after_update.loss) {
            Some(after) => Ok(self.expected(&after, step)?.loss),
            None => Ok(before.loss.clone()),
        }
    }

    /// Returns the name, the values and the error bounds of every gradient in the form in which the trace has them.
    fn processed_gradients(&self, expected: &Expected) -> Result<Vec<BoundedTensor>> {
        let images = self.computation.batches[0].images.nrows();
        let gradients = Gradients::computed(expected);
        let Computation { specification, gradient_form, initial, learning_rates, .. } = self.computation;
        if *gradient_form == GradientForm::FromStep {
            let rate = learning_rates.first().copied().unwrap_or(1.0);
            let mut step = StepReference::new(specification, initial, self.arithmetic)?;
            let updated = step.step(initial, &gradients, rate, images)?.unwrap_or_default();
            return Ok(updated.iter().map(|tensor| tensor.recovered_gradient(rate, self.arithmetic)).collect());
        }
        let specification = gradient_form.specification(specification);
        let tensors = bounds::processed_tensors(&specification, initial, &gradients, images, self.arithmetic);
        let factor = if *gradient_form == GradientForm::Summed { images as f64 } else { 1.0 };
        Ok(tensors.into_iter().map(|(name, values, bound)| (name, values * factor, bound * factor)).collect())
    }
}

impl Comparison {
    fn new(stage: Stage, tensor: &str, [expected, actual, bound]: [ArrayD<f64>; 3]) -> Self {
        let tensor = tensor.to_owned();
        let (worst_case_bound, undecided, vacuous, updated) = (None, 0, false, None);
        Self { stage, tensor, expected, actual, bound, worst_case_bound, undecided, vacuous, updated }
    }

    /// Compares a matrix, or a vector whose expected value is a matrix of one row.
    fn of_matrix(stage: Stage, name: &str, expected: &BoundedMatrix, actual: ArrayD<f64>, undecided: usize) -> Self {
        let shaped = |matrix: ArrayD<f64>| match actual.ndim() {
            1 if matrix.shape().first() == Some(&1) => matrix.index_axis_move(Axis(0), 0),
            _ => matrix,
        };
        let value = shaped(expected.value.clone().into_dyn());
        let Some(error) = &expected.error else {
            let bound = value.mapv(|_| f64::NAN);
            return Self::new(stage, name, [value, actual, bound]);
        };
        let bound = shaped(error.bound().into_dyn());
        let worst_case_bound = Some(shaped(error.worst_case.clone().into_dyn()));
        Self { worst_case_bound, undecided, ..Self::new(stage, name, [value, actual, bound]) }
    }

    fn of_loss(stage: Stage, expected: BoundedMatrix, loss: f64) -> Self {
        let scalar = |value: f64| arr0(value).into_dyn();
        let [mut bound, mut worst_case_bound] = [0.0; 2];
        if let Some(error) = &expected.error {
            (bound, worst_case_bound) = (error.bound()[[0, 0]], error.worst_case[[0, 0]]);
        }
        let values = [expected.value[[0, 0]], loss, bound].map(scalar);
        Self { worst_case_bound: Some(scalar(worst_case_bound)), ..Self::new(stage, "loss", values) }
    }

    fn of_parameter(updated: UpdatedTensor, actual: ArrayD<f64>) -> Self {
        let values = [updated.expected.clone(), actual, updated.bound()];
        let comparison = Self::new(Stage::Trajectory, &updated.name, values);
        Self { updated: Some(updated), ..comparison }
    }

    /// Returns the expected and the actual change of a parameter in the step, or the values of another tensor.
    pub(crate) fn changes(&self) -> [ArrayD<f64>; 2] {
        match &self.updated {
            Some(updated) if self.actual.shape() == self.expected.shape() => {
                [&self.expected - &updated.before, &self.actual - &updated.before]
            }
            _ => [self.expected.clone(), self.actual.clone()],
        }
    }

    /// Returns the checks of the tensor.
    pub(crate) fn checks(&self, context: &CheckContext<'_>) -> Vec<Check> {
        if let Some(updated) = &self.updated {
            return updated.checks(context, self.actual.view());
        }
        let pair = TensorPair {
            expected: self.expected.view(),
            actual: self.actual.view(),
            bound: self.bound.view(),
            worst_case_bound: self.worst_case_bound.as_ref().map(|bound| bound.view()),
            undecided: self.undecided,
        };
        vec![Check { vacuous: self.vacuous, ..context.check(&self.tensor, &pair) }]
    }
}

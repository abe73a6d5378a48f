//! The [`Trace`] type: inputs and results of an implementation, as stored in a trace file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mlp_parity::{Activation, Arithmetic, MlpConfig, Optimizer, Parameters};
use mlp_parity_scratch::reference::{
    EpsilonPlacement, MomentumForm, PropagatedWeight, Specification, TrainingBatch, UpdateRule, WeightDecay,
};
use ndarray::{Array1, Array2};

use crate::check::compare::{Tensors, named_tensors};
pub(crate) use crate::input::container::Precision;

/// The format and version of the trace files that are written.
pub const FORMAT: &str = "mlp-parity-trace/2";

/// The previous version, which is read too.
pub(super) const FORMAT_1: &str = "mlp-parity-trace/1";

/// Error of tanh in units of u, relative and absolute, for any usual formula: 2/(1 + exp(−2z)) − 1 and
/// (exp(2z) − 1)/(exp(2z) + 1) subtract numbers of about 1 from each other near z = 0, which leaves an absolute error.
const TANH: [f64; 2] = [6.0, 4.0];

/// Error of the sigmoid in units of u. It covers 1/(1 + exp(−x)) and exp(−ln(1 + exp(−x))).
const SIGMOID: [f64; 2] = [8.0, 2.0];

/// Error of the exponential in units of u, constant and per unit of |x|. The second part covers powers of a rounded e.
const EXPONENTIAL: [f64; 2] = [2.0, 1.0];

/// The results that one implementation computed: logits, loss and gradients of the first batch, and the losses and
/// parameters of consecutive training steps, together with the parameters, batches and optimizer that led to them.
///
/// Read and write it with [`SafetensorsFile`](mlp_parity::SafetensorsFile).
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// A free-form name of the program that computed the results.
    pub producer: String,
    /// The metadata of the file, without format and producer.
    pub(super) metadata: BTreeMap<String, String>,
    /// The computation that the trace declares.
    pub(crate) computation: Computation,
    /// The results that the implementation computed.
    pub(crate) results: Results,
    /// Identifiers of accepted explanations.
    pub(super) accepted: Vec<String>,
    /// Assumptions of the reader about what the file does not state.
    pub(super) assumptions: Vec<String>,
}

/// A computation that can be compared with recorded results: operations, parameters, batches and learning rates.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Computation {
    /// The operations of the network and its training.
    pub(crate) specification: Specification,
    /// The learning rate of each step.
    pub(crate) learning_rates: Vec<f64>,
    /// Precision of the results.
    pub(crate) precision: Precision,
    /// The rounding errors of the program, in this precision.
    pub(crate) arithmetic: Arithmetic,
    pub(crate) gradient_form: GradientForm,
    /// The parameters before the first step.
    pub(crate) initial: Parameters<f64>,
    /// The batches of the steps, at least one.
    pub(crate) batches: Vec<TrainingBatch<f64>>,
    /// The parts of a step that use the parameters after it.
    pub(crate) after_update: AfterUpdate,
}

/// The parts of a step that use the recorded parameters after it in place of those before it. A trace declares none of them; they
/// are mistakes that the diagnosis considers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AfterUpdate {
    /// True if the loss is computed after the update.
    pub(crate) loss: bool,
    /// True if the backward pass propagates δ through the weights after the update.
    pub(crate) propagated_weights: bool,
}

impl Computation {
    /// Returns the operations of a step, counted from 0, given the recorded results.
    pub(crate) fn specification_of_step(&self, results: &Results, step: usize) -> Cow<'_, Specification> {
        let after = parameters_after(self, results, step).filter(|_| self.after_update.propagated_weights);
        let Some(after) = after else { return Cow::Borrowed(&self.specification) };
        let mut specification = self.specification.clone();
        let weights = after.layers().iter().map(|layer| PropagatedWeight::Given(layer.weight.clone()));
        specification.deviations.propagated_weights = weights.enumerate().collect();
        Cow::Owned(specification)
    }

    /// Replaces the precision. The elementary functions keep their errors, in units of the new unit roundoff.
    pub(crate) fn set_precision(&mut self, precision: Precision) {
        let Arithmetic { unit_roundoff, underflow, overflow, .. } = precision.arithmetic();
        self.arithmetic = Arithmetic { unit_roundoff, underflow, overflow, ..self.arithmetic };
        self.precision = precision;
    }
}

/// The recorded results of a computation. Any of them may be missing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Results {
    /// The logits of the first batch.
    pub(crate) logits: Option<Array2<f64>>,
    /// The outputs for the first batch.
    pub(crate) outputs: Option<Array2<f64>>,
    /// The loss of the first batch.
    pub(crate) loss: Option<f64>,
    /// The gradients of the first batch by parameter name.
    pub(crate) gradients: Tensors,
    /// One step for each batch.
    pub(crate) steps: Vec<Step>,
}

/// The recorded results of one training step. Any of them may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Step {
    /// The loss before the update.
    pub(crate) loss: Option<f64>,
    /// The parameters after the update.
    pub(crate) parameters: Tensors,
}

/// The form of the recorded gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GradientForm {
    /// The gradients of the loss without the penalty of weight decay.
    Raw,
    /// Raw gradients times the number of images, before a program divides by it.
    Summed,
    /// With coupled weight decay.
    WithWeightDecay,
    /// With coupled weight decay, and clipped: what the update rule gets.
    Clipped,
    /// (before − after) / rate, recovered from the first step.
    FromStep,
}

impl GradientForm {
    /// Returns the specification whose gradients, after its weight decay and clipping, have this form. The factor of
    /// [`Summed`](Self::Summed) and the division of [`FromStep`](Self::FromStep) are not part of it.
    pub(crate) fn specification(self, declared: &Specification) -> Specification {
        let mut specification = declared.clone();
        match self {
            Self::Raw | Self::Summed => {
                specification.weight_decay = WeightDecay::NONE;
                specification.clipping = None;
            }
            Self::WithWeightDecay => specification.clipping = None,
            // The optimizer adds decay that is not part of the loss after clipping.
            Self::Clipped if !declared.weight_decay.in_loss => specification.weight_decay = WeightDecay::NONE,
            Self::Clipped | Self::FromStep => {}
        }
        specification
    }
}

impl Precision {
    /// Returns the arithmetic of a program that computes in this precision with any usual formulas of the elementary functions.
    pub(super) fn usual_arithmetic(self) -> Arithmetic {
        Arithmetic { tanh: TANH, sigmoid: SIGMOID, exponential: EXPONENTIAL, ..self.arithmetic() }
    }

    /// Returns the arithmetic of a program that computes in this precision, with elementary functions that are accurate to a
    /// few units in the last place.
    pub(super) fn arithmetic(self) -> Arithmetic {
        match self {
            Self::Double => Arithmetic::DOUBLE,
            Self::Single => Arithmetic::SINGLE,
            Self::Half => Arithmetic {
                unit_roundoff: 2.0_f64.powi(-11),
                underflow: 2.0_f64.powi(-14),
                overflow: 65_504.0,
                ..Arithmetic::SINGLE
            },
            Self::Bfloat16 => Arithmetic { unit_roundoff: 2.0_f64.powi(-8), ..Arithmetic::SINGLE },
        }
    }
}

impl Trace {
    /// Returns the assumptions of the reader in one sentence each, such as which axis of the weights is which.
    pub fn assumptions(&self) -> &[String] {
        &self.assumptions
    }

    /// Returns the metadata, by key, without the format and the producer.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Returns the identifiers of explanations that the metadata accept.
    pub fn accepted(&self) -> &[String] {
        &self.accepted
    }

    /// Returns the operations of the implementation, as the metadata declare them.
    pub fn specification(&self) -> &Specification {
        &self.computation.specification
    }

    /// Returns the computation and the results with the gradients of the first batch, (before − after) / rate; `None` if there are
    /// gradients already, or the first step does not tell them.
    pub(crate) fn with_recovered_gradients(&self) -> Option<(Computation, Results)> {
        let is_linear = matches!(self.computation.specification.update_rule, UpdateRule::Momentum { .. });
        let rate = self.learning_rate(0).filter(|_| is_linear && self.results.gradients.is_empty())?;
        let after = &self.results.steps.first()?.parameters;
        let before = named_tensors(&self.computation.initial);
        let recovered = |name: String| Some((name.clone(), (before.get(&name)? - after.get(&name)?) / rate));
        let gradients = self.tensor_names().map(recovered).collect::<Option<Tensors>>()?;
        let computation = Computation { gradient_form: GradientForm::FromStep, ..self.computation.clone() };
        Some((computation, Results { gradients, ..self.results.clone() }))
    }

    /// Returns the names of the parameter tensors that the network has.
    pub(super) fn tensor_names(&self) -> impl Iterator<Item = String> + '_ {
        let tensors = self.computation.initial.tensors().zip(self.computation.specification.has_tensors());
        tensors.filter_map(|((name, _), is_present)| is_present.then_some(name))
    }

    /// Returns the parameters before the first step.
    pub fn initial(&self) -> &Parameters<f64> {
        &self.computation.initial
    }

    /// Returns the batch of the step with this number, counted from 0; `None` if there is none.
    pub fn batch(&self, step: usize) -> Option<&TrainingBatch<f64>> {
        self.computation.batches.get(step)
    }

    /// Returns the learning rate of the step with this number, counted from 0; `None` if the trace does not declare it.
    pub fn learning_rate(&self, step: usize) -> Option<f64> {
        self.computation.learning_rates.get(step).copied()
    }

    /// Returns the network configuration and the optimizer of the contract that compute the same; `None` if the contract
    /// has no such network or optimizer.
    pub(super) fn contract(&self) -> Option<(MlpConfig, Optimizer)> {
        let sizes = self.computation.initial.sizes();
        let [inputs, hidden @ .., classes] = &sizes[..] else { return None };
        let activation = match self.computation.specification.activations.first() {
            Some(function) => function.activation()?,
            None => Activation::Relu,
        };
        let config = MlpConfig::new(*inputs, hidden, *classes, activation).ok()?;
        let optimizer = contract_optimizer(&self.computation.specification)?;
        let has_masks = self.computation.batches.iter().any(|batch| batch.masks.iter().any(Option::is_some));
        let has_one_rate = self.computation.learning_rates.windows(2).all(|pair| pair[0] == pair[1]);
        let is_contract = Specification::new(&config, &optimizer) == self.computation.specification;
        let labels = self.computation.batches.iter().all(|batch| labels(&batch.targets).is_some());
        (is_contract && has_one_rate && labels && !has_masks && optimizer.validate().is_ok())
            .then_some((config, optimizer))
    }
}

/// Returns the optimizer of the contract with the update rule and the weight decay coefficient of a specification.
fn contract_optimizer(specification: &Specification) -> Option<Optimizer> {
    let weight_decay = specification.weight_decay.coefficient;
    match specification.update_rule {
        UpdateRule::Momentum { momentum: 0.0, .. } => Some(Optimizer::Sgd { weight_decay }),
        UpdateRule::Momentum { momentum, form: MomentumForm::Velocity { dampening: 0.0 }, nesterov } => {
            Some(Optimizer::Momentum { momentum, nesterov, weight_decay })
        }
        UpdateRule::Adam { beta1, beta2, epsilon, placement: EpsilonPlacement::Outside, amsgrad: false } => {
            Some(match specification.weight_decay.decoupled {
                true => Optimizer::AdamW { beta1, beta2, epsilon, weight_decay },
                false => Optimizer::Adam { beta1, beta2, epsilon, weight_decay },
            })
        }
        _ => None,
    }
}

/// Returns the class of each image if there are several outputs, and the targets are one-hot, that is, one target of each image is 1 and the others are 0.
pub(super) fn labels(targets: &Array2<f64>) -> Option<Vec<usize>> {
    let label = |row: ndarray::ArrayView1<'_, f64>| {
        let label = row.iter().position(|&target| target == 1.0)?;
        let is_one_hot = row.iter().enumerate().all(|(class, &target)| target == 0.0 || class == label);
        is_one_hot.then_some(label)
    };
    (targets.ncols() > 1).then(|| targets.rows().into_iter().map(label).collect())?
}

/// Returns parameters from tensors by canonical name; `None` if a tensor is missing. `biases` states which layers have
/// biases; the others are zero.
pub(super) fn parameters(tensors: &Tensors, initial: &Parameters<f64>, biases: &[bool]) -> Option<Parameters<f64>> {
    let mut parameters = initial.clone();
    let names: Vec<String> = initial.tensors().map(|(name, _)| name).collect();
    for ((layer, names), has_biases) in parameters.layers_mut().iter_mut().zip(names.chunks(2)).zip(biases) {
        let [weight, bias] = names else { return None };
        layer.weight = tensors.get(weight)?.clone().into_dimensionality().ok()?;
        layer.bias = match tensors.get(bias) {
            Some(bias) => bias.clone().into_dimensionality().ok()?,
            None if !has_biases => Array1::zeros(layer.bias.len()),
            None => return None,
        };
    }
    Some(parameters)
}

/// Returns the recorded parameters after a step, counted from 0; `None` if one is missing.
pub(crate) fn parameters_after(computation: &Computation, results: &Results, step: usize) -> Option<Parameters<f64>> {
    parameters(&results.steps.get(step)?.parameters, &computation.initial, &computation.specification.biases)
}

//! Parsing of a trace from the tensors and metadata of a file. What is known is read in every usual form, and noted if it had
//! to be assumed. A misspelt name, an unknown key or an unexpected shape is an error, because a tensor that was silently
//! ignored would not be compared.

mod batches;

mod layout;
mod metadata;
mod tensors;

use mlp_parity::TrainingConfig;
use mlp_parity_scratch::reference::{Deviations, MomentumForm, ProductPrecision, Specification, UpdateRule};

use crate::check::trace::model::{AfterUpdate, Computation, GradientForm, Precision, Results, Step, Trace};
use crate::input::ParseResult;
use crate::input::container::{self, Contents, Entry};
use crate::input::reject_other_than_trace;
use batches::take_batches;
use layout::Layout;
use metadata::{Metadata, is_key};
use tensors::RemainingTensors;

/// Largest difference between a gradient that was recovered from a step and (before − after) / rate, in units of the rounding
/// error that the parameters cause in it. A gradient that was computed otherwise differs by more in most elements.
const RECOVERED_DIFFERENCE: f64 = 0.1;

/// Relative error of a number that is printed with nine digits, the fewest that identify a number of single precision. One in
/// six numbers of double precision are that close to one of single precision.
const PRINTED_DIGITS: f64 = 5e-9;

/// Smallest number of results that show the precision of a program.
const RECOGNIZED_RESULTS: usize = 16;

/// Smallest update, in units of the rounding error of its parameter, that shows how a gradient was obtained.
const RESOLVED_UPDATE: f64 = 16.0;

/// Parses the contents of a trace file.
///
/// # Errors
///
/// A message if a key or a tensor is unknown, missing, or has an unexpected type, shape or value.
pub(super) fn trace(bytes: &[u8]) -> ParseResult<Trace> {
    reject_other_than_trace(bytes)?;
    let Contents { tensors, metadata: entries } = container::parse(bytes, entry)?;
    let metadata = Metadata::new(&entries)?;
    let mut assumptions = Vec::new();
    let mut file = RemainingTensors::new(tensors);
    let inputs = file.width("batch.0.images");
    let (layout, initial) = Layout::read(&mut file, metadata.inputs_first()?, inputs, &mut assumptions)?;
    let batches = take_batches(&mut file, &layout, metadata.loss()?.function, &mut assumptions)?;
    let shape = [batches[0].images.nrows(), batches[0].targets.ncols()];
    let meaning = "images of batch.0 and outputs of the network";
    let logits = file.take_matrix("logits", shape, meaning)?;
    let outputs = file.take_matrix("outputs", shape, meaning)?;
    let loss_value = file.take_scalar("loss")?;
    let gradients = layout.take_tensors(&mut file, "gradient.")?;
    let steps =
        (0..batches.len()).map(|number| take_step(&mut file, &layout, number)).collect::<ParseResult<Vec<_>>>()?;
    file.reject_remaining()?;
    let updates = steps.iter().filter(|step| !step.parameters.is_empty()).count();
    let (precision, products) = match metadata.precision()? {
        Some((declared, products)) => (Some(declared), products),
        None => (file.precision(&mut assumptions), ProductPrecision::Full),
    };
    let declared_form = metadata.gradient_form()?;
    let used_precision = precision.unwrap_or(Precision::Double);
    let mut trace = Trace {
        producer: metadata.producer().to_owned(),
        metadata: metadata.entries(),
        accepted: metadata.accepted(),
        computation: Computation {
            learning_rates: metadata.learning_rates(updates)?,
            gradient_form: declared_form.unwrap_or(GradientForm::Raw),
            specification: specification(&metadata, layout, products)?,
            precision: used_precision,
            arithmetic: match metadata.has_accurate_functions()? {
                true => used_precision.arithmetic(),
                false => used_precision.usual_arithmetic(),
            },
            initial,
            batches,
            after_update: AfterUpdate::default(),
        },
        results: Results { logits, outputs, loss: loss_value, gradients, steps },
        assumptions,
    };
    if precision.is_none() {
        trace.recognize_precision();
    }
    match declared_form {
        Some(_) if trace.results.gradients.is_empty() => {
            return Err(
                "metadata key 'gradients' goes only with the tensors gradient.*; this trace has none".to_owned()
            );
        }
        Some(_) => {}
        None => trace.recognize_gradient_form(),
    }
    trace.reject_steps_after_gap()?;
    trace.check_rates()?;
    Ok(trace)
}

/// Returns the meaning of an entry by its name. A name of a tensor need not be known.
fn entry(name: &str) -> Entry {
    match name {
        _ if name.contains('.') || ["logits", "outputs", "loss"].contains(&name) => Entry::Tensor,
        _ if is_key(name) => Entry::Metadata,
        _ => Entry::Unread,
    }
}

/// Returns the operations of the network and its training.
fn specification(metadata: &Metadata<'_>, layout: Layout, products: ProductPrecision) -> ParseResult<Specification> {
    Ok(Specification {
        activations: metadata.activations(layout.sizes.len() - 2)?,
        biases: layout.biases,
        loss: metadata.loss()?,
        weight_decay: metadata.weight_decay()?,
        clipping: metadata.clipping()?,
        update_rule: metadata.update_rule()?,
        products,
        deviations: Deviations::default(),
    })
}

/// Takes the results of the step with this number.
fn take_step(file: &mut RemainingTensors, layout: &Layout, number: usize) -> ParseResult<Step> {
    let prefix = format!("step.{number}.");
    let loss = file.take_scalar(&format!("{prefix}loss"))?;
    Ok(Step { loss, parameters: layout.take_tensors(file, &prefix)? })
}

impl Trace {
    /// Replaces double precision, the default of JSON, by single precision, if the results are in it.
    fn recognize_precision(&mut self) {
        if self.is_in_single_precision() {
            self.computation.set_precision(Precision::Single);
            let assumption = "the program computes in single precision, as all of its results are in it";
            self.assumptions.push(assumption.to_owned());
        }
    }

    /// Notes if the gradients were recovered from the first step.
    fn recognize_gradient_form(&mut self) {
        if self.has_recovered_gradients() {
            self.computation.gradient_form = GradientForm::FromStep;
            self.metadata.insert("gradients".to_owned(), "from-step".to_owned());
            self.assumptions.push("gradients are (before − after)/rate of the first step".to_owned());
        }
    }

    /// Returns true if the file contains only results of single precision, printed with at least nine digits, and enough of
    /// them to tell.
    fn is_in_single_precision(&self) -> bool {
        let is_single = |value: f64| (f64::from(value as f32) - value).abs() <= PRINTED_DIGITS * value.abs();
        let steps = self.results.steps.iter().flat_map(|step| step.parameters.values().flatten().chain(&step.loss));
        let passes = self.results.logits.iter().chain(&self.results.outputs).flatten().chain(&self.results.loss);
        let results = self.results.gradients.values().flatten().chain(passes).chain(steps);
        let mut count = 0;
        let all = results.filter(|value| value.abs() > f64::from(f32::MIN_POSITIVE)).all(|&value| {
            count += 1;
            is_single(value)
        });
        all && count >= RECOGNIZED_RESULTS
    }

    /// Returns true if every recorded gradient equals (before − after) / rate of the first step but for the rounding of that
    /// formula, and the step is large enough to tell.
    fn has_recovered_gradients(&self) -> bool {
        let UpdateRule::Momentum { momentum, form, .. } = self.computation.specification.update_rule else {
            return false;
        };
        let is_rate_times_gradient = momentum == 0.0 || form != MomentumForm::Average;
        let (Some(step), Some(&rate)) = (self.results.steps.first(), self.computation.learning_rates.first()) else {
            return false;
        };
        let is_single = self.results.gradients.values().flatten().all(|&value| f64::from(value as f32) == value);
        let unit = if is_single { Precision::Single } else { Precision::Double }.arithmetic().unit_roundoff;
        let [mut resolved, mut count] = [0, 0];
        let recovered = self.computation.initial.tensors().all(|(name, before)| {
            let Some(gradient) = self.results.gradients.get(&name) else { return true };
            let Some(after) = step.parameters.get(&name) else { return false };
            gradient.iter().zip(before).zip(after).all(|((&gradient, &before), &after)| {
                let difference = (before - after) / rate;
                let rounding = unit * before.abs().max(after.abs()) / rate;
                count += 1;
                resolved += usize::from(difference.abs() > RESOLVED_UPDATE * rounding);
                (gradient - difference).abs() <= 4.0 * unit * difference.abs() + RECOVERED_DIFFERENCE * rounding
            })
        });
        is_rate_times_gradient && recovered && 2 * resolved > count
    }

    /// Checks that single precision can represent the hyper-parameters, if the results are in it.
    fn check_rates(&self) -> ParseResult<()> {
        let Some((_, optimizer)) = self.contract().filter(|_| self.computation.precision == Precision::Single) else {
            return Ok(());
        };
        let rate = self.computation.learning_rates.first().copied().unwrap_or_default();
        let training = TrainingConfig::builder().optimizer(optimizer).learning_rate(rate);
        training.build().map(|_| ()).map_err(|error| format!("metadata {error}"))
    }

    /// Rejects steps that follow an incomplete one. The reference takes each step from the parameters after the previous
    /// one, so steps after a gap could not be compared and would be ignored silently.
    fn reject_steps_after_gap(&self) -> ParseResult<()> {
        let is_complete = |step: &Step| self.tensor_names().all(|name| step.parameters.contains_key(&name));
        let is_present = |step: &Step| step.loss.is_some() || !step.parameters.is_empty();
        match self.results.steps.iter().position(|step| !is_complete(step)) {
            Some(gap) if self.results.steps[gap + 1..].iter().any(is_present) => Err(format!(
                "step.{gap} lacks parameters, but later steps are present; they are compared from the parameters of the \
                 previous step"
            )),
            _ => Ok(()),
        }
    }
}

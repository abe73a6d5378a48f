//! Are two implementations equal on one batch? Parameters, logits, loss, every gradient, and one update from identical
//! gradients, cheapest first: what breaks first is where to look.

mod difference;
pub mod tolerance;

use std::fmt;

use mlp_parity::{Batch, Differentiable, MlpConfig, Optimizer, Parameters, Result};
use ndarray::{ArrayD, arr0};
use serde::{Serialize, Serializer};

use crate::{Identity, Participant};
use difference::Difference;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// Parameters, given and read back: equal to the bit.
    Parameters,
    /// The forward pass.
    Logits,
    /// The mean cross-entropy.
    Loss,
    /// The backward pass, from the output layer down, as it is computed.
    Gradients,
    /// The parameters after one update from identical gradients.
    Update,
}

impl fmt::Display for Rung {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Parameters => "parameters",
            Self::Logits => "logits",
            Self::Loss => "loss",
            Self::Gradients => "gradients",
            Self::Update => "update",
        })
    }
}

/// One tensor of two participants, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The plan whose batch and optimizer were used.
    pub plan: String,
    /// What was compared.
    pub rung: Rung,
    /// One participant.
    pub left: String,
    /// The other.
    pub right: String,
    /// `logits`, `loss`, or the name of a parameter.
    pub tensor: String,
    /// Where the two differ most.
    pub index: Vec<usize>,
    /// The left value there.
    #[serde(serialize_with = "number")]
    pub left_value: f64,
    /// The right value there.
    #[serde(serialize_with = "number")]
    pub right_value: f64,
    /// By how much they differ there.
    #[serde(serialize_with = "number")]
    pub max_abs: f64,
    /// The same as a share of the largest magnitude in the left tensor.
    #[serde(serialize_with = "number")]
    pub max_rel: f64,
    /// How much they may differ.
    #[serde(serialize_with = "number")]
    pub allowed: f64,
    /// Whether they differ by no more. Never with a NaN or an infinity in either tensor.
    pub passed: bool,
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rung, left, right, tensor, index, left_value, right_value, max_abs, allowed, .. } = self;
        let of = if tensor == &rung.to_string() { String::new() } else { format!(" of {tensor}") };
        write!(
            formatter,
            "{rung}{of} at {index:?}: {left} has {left_value:e}, {right} has {right_value:e}; \
             they differ by {max_abs:.1e}, and {allowed:.1e} is allowed"
        )
    }
}

/// JSON has no NaN and no infinity; they are written as strings.
pub(crate) fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f64(*value)
    } else if value.is_nan() {
        serializer.serialize_str("NaN")
    } else {
        serializer.serialize_str(if *value > 0.0 { "Infinity" } else { "-Infinity" })
    }
}

/// The plan under which participants are checked: its name, its rule, its learning rate.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// The plan's name.
    pub plan: &'a str,
    /// The rule.
    pub optimizer: &'a Optimizer,
    /// η
    pub learning_rate: f64,
}

/// Checks every participant against the first: all rungs, each tensor.
///
/// # Errors
///
/// What a participant reports.
pub fn check(
    participants: &[Participant],
    config: &MlpConfig,
    parameters: &Parameters<f32>,
    batch: &Batch<f32>,
    update: Update<'_>,
) -> Result<Vec<Check>> {
    let Some((left, others)) = participants.split_first() else {
        return Ok(Vec::new());
    };
    let left_view = View::of(left, config, parameters, batch, None, update)?;
    let mut checks = Vec::new();
    for right in others {
        let right_view = View::of(right, config, parameters, batch, Some(&left_view.gradients), update)?;
        let template = Template { plan: update.plan, left: left.identity(), right: right.identity() };
        checks.extend(template.compare(&left_view, &right_view));
    }
    Ok(checks)
}

/// What can be seen of one participant.
struct View {
    parameters: Parameters<f32>,
    logits: ArrayD<f32>,
    loss: ArrayD<f32>,
    gradients: Parameters<f32>,
    updated: Parameters<f32>,
}

impl View {
    /// The update is made from `gradients`, or without them from the participant's own.
    fn of(
        participant: &Participant,
        config: &MlpConfig,
        parameters: &Parameters<f32>,
        batch: &Batch<f32>,
        gradients: Option<&Parameters<f32>>,
        update: Update<'_>,
    ) -> Result<Self> {
        let mut model: Box<dyn Differentiable> = participant.create(config, parameters)?;
        let read_back = model.parameters()?;
        let logits = model.logits(batch.images())?.into_dyn();
        let (loss, own_gradients) = model.loss_and_gradients(batch)?;
        model.set_optimizer(update.optimizer)?;
        model.apply_gradients(gradients.unwrap_or(&own_gradients), update.learning_rate)?;
        let updated = model.parameters()?;
        Ok(Self { parameters: read_back, logits, loss: arr0(loss).into_dyn(), gradients: own_gradients, updated })
    }
}

/// What all checks of one pair under one plan have in common.
struct Template<'a> {
    plan: &'a str,
    left: &'a Identity,
    right: &'a Identity,
}

impl Template<'_> {
    fn compare(&self, left: &View, right: &View) -> Vec<Check> {
        let mut checks = Vec::new();
        for ((name, left), (_, right)) in left.parameters.tensors().zip(right.parameters.tensors()) {
            checks.push(self.judge(Rung::Parameters, &name, &Difference::between(left, right), 0.0));
        }
        let forward = |rung: Rung, left: &ArrayD<f32>, right: &ArrayD<f32>, relative: f64| {
            let difference = Difference::between(left.view(), right.view());
            self.judge(rung, &rung.to_string(), &difference, relative * difference.largest)
        };
        checks.push(forward(Rung::Logits, &left.logits, &right.logits, tolerance::LOGITS));
        checks.push(forward(Rung::Loss, &left.loss, &right.loss, tolerance::LOSS));
        // From the output layer down: a wrong term shows first in the layer where it stands.
        let gradients: Vec<_> = left.gradients.tensors().zip(right.gradients.tensors()).collect();
        for ((name, left), (_, right)) in gradients.into_iter().rev() {
            let difference = Difference::between(left, right);
            let allowed = tolerance::GRADIENTS * difference.largest;
            checks.push(self.judge(Rung::Gradients, &name, &difference, allowed));
        }
        let updates = left.updated.tensors().zip(right.updated.tensors()).zip(left.parameters.tensors());
        for (((name, left), (_, right)), (_, before)) in updates {
            let difference = Difference::between(left.view(), right);
            let moved = Difference::between(before, left).absolute;
            let allowed = tolerance::UPDATE * moved + tolerance::ROUNDING * difference.largest;
            checks.push(self.judge(Rung::Update, &name, &difference, allowed));
        }
        checks
    }

    fn judge(&self, rung: Rung, tensor: &str, difference: &Difference, allowed: f64) -> Check {
        Check {
            plan: self.plan.to_owned(),
            rung,
            left: self.left.to_string(),
            right: self.right.to_string(),
            tensor: tensor.to_owned(),
            index: difference.index.clone(),
            left_value: difference.left,
            right_value: difference.right,
            max_abs: difference.absolute,
            max_rel: if difference.absolute == 0.0 { 0.0 } else { difference.absolute / difference.largest },
            allowed,
            // NaN is never at most anything.
            passed: difference.absolute <= allowed && allowed.is_finite(),
        }
    }
}

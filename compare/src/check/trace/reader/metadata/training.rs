//! The keys that describe the training and the recorded numbers: optimizer, weight decay, clipping, precision.

use mlp_parity_scratch::reference::{
    Clipping, EpsilonPlacement, MomentumForm, ProductPrecision, Reduction, UpdateRule, WeightDecay,
};

use super::Metadata;
use crate::check::trace::model::{GradientForm, Precision};
use crate::input::ParseResult;

/// Optimizers by name, with the keys of their hyper-parameters.
const OPTIMIZERS: [(&str, &[&str]); 8] = [
    ("sgd", &[]),
    ("momentum", &["momentum", "momentum_form", "dampening", "nesterov"]),
    ("adam", &["beta1", "beta2", "epsilon", "epsilon_placement", "amsgrad"]),
    ("adamw", &["beta1", "beta2", "epsilon", "epsilon_placement", "amsgrad"]),
    ("nadam", &["beta1", "beta2", "epsilon", "momentum_decay"]),
    ("adamax", &["beta1", "beta2", "epsilon"]),
    ("rmsprop", &["alpha", "epsilon", "epsilon_placement", "momentum", "momentum_form"]),
    ("adagrad", &["learning_rate_decay", "initial_accumulator", "epsilon", "epsilon_placement"]),
];

/// The places of ε in a rule without bias correction.
const UNCORRECTED_PLACEMENTS: [(&str, EpsilonPlacement); 2] =
    [("outside", EpsilonPlacement::Outside), ("inside-root", EpsilonPlacement::InsideRoot)];

/// ε of PyTorch's `clip_grad_norm_`.
const CLIP_EPSILON: f64 = 1e-6;

impl Metadata<'_> {
    /// Returns the update rule of the optimizer.
    pub(in crate::check::trace) fn update_rule(&self) -> ParseResult<UpdateRule> {
        let name = self.optimizer()?;
        let own = OPTIMIZERS.iter().find(|(optimizer, _)| *optimizer == name).map_or(&[][..], |(_, keys)| *keys);
        for (_, keys) in OPTIMIZERS {
            for key in keys.iter().filter(|key| !own.contains(key)) {
                let users: Vec<&str> =
                    OPTIMIZERS.iter().filter(|(_, keys)| keys.contains(key)).map(|&(user, _)| user).collect();
                self.reject_unused(&[key], &format!("the optimizers {}; this trace has '{name}'", users.join(", ")))?;
            }
        }
        let rate = |key, default: f64| self.rate(key).map(|rate| rate.unwrap_or(default));
        let epsilon = |default: f64| self.non_negative("epsilon").map(|epsilon| epsilon.unwrap_or(default));
        Ok(match name {
            "sgd" => {
                let form = MomentumForm::Velocity { dampening: 0.0 };
                UpdateRule::Momentum { momentum: 0.0, form, nesterov: false }
            }
            "momentum" => UpdateRule::Momentum {
                momentum: rate("momentum", 0.9)?,
                form: self.momentum_form()?,
                nesterov: self.flag("nesterov")?,
            },
            "nadam" => UpdateRule::Nadam {
                beta1: rate("beta1", 0.9)?,
                beta2: rate("beta2", 0.999)?,
                epsilon: epsilon(1e-8)?,
                momentum_decay: self.non_negative("momentum_decay")?.unwrap_or(0.004),
            },
            "adamax" => {
                UpdateRule::Adamax { beta1: rate("beta1", 0.9)?, beta2: rate("beta2", 0.999)?, epsilon: epsilon(1e-8)? }
            }
            "rmsprop" => UpdateRule::RmsProp {
                alpha: rate("alpha", 0.99)?,
                epsilon: epsilon(1e-8)?,
                placement: self.uncorrected_epsilon_placement()?,
                momentum: rate("momentum", 0.0)?,
                with_rate: self.has_rate_in_direction()?,
            },
            "adagrad" => UpdateRule::Adagrad {
                learning_rate_decay: self.non_negative("learning_rate_decay")?.unwrap_or(0.0),
                initial_accumulator: self.non_negative("initial_accumulator")?.unwrap_or(0.0),
                epsilon: epsilon(1e-10)?,
                placement: self.uncorrected_epsilon_placement()?,
            },
            _ => UpdateRule::Adam {
                beta1: rate("beta1", 0.9)?,
                beta2: rate("beta2", 0.999)?,
                epsilon: epsilon(1e-8)?,
                placement: self.epsilon_placement()?,
                amsgrad: self.flag("amsgrad")?,
            },
        })
    }

    /// Returns true for a hyper-parameter that the optimizer does not have, which version 1 allows.
    pub(super) fn is_ignored(&self, key: &str) -> bool {
        let name = self.optimizer().unwrap_or_default();
        let mut users = OPTIMIZERS.iter().filter(|(_, keys)| keys.contains(&key)).peekable();
        users.peek().is_some() && !users.any(|&(user, _)| user == name)
    }

    /// Returns the name of the optimizer.
    fn optimizer(&self) -> ParseResult<&'static str> {
        let names = OPTIMIZERS.map(|(name, _)| (name, name));
        Ok(self.choice("optimizer", &names)?.unwrap_or("sgd"))
    }

    fn momentum_form(&self) -> ParseResult<MomentumForm> {
        let dampening = self.number("dampening", |number| (0.0..=1.0).contains(&number), "a number from 0 to 1")?;
        let velocity = MomentumForm::Velocity { dampening: dampening.unwrap_or(0.0) };
        let forms = [("velocity", velocity), ("average", MomentumForm::Average), ("with-rate", MomentumForm::WithRate)];
        let form = self.choice("momentum_form", &forms)?.unwrap_or(velocity);
        if form != velocity {
            self.reject_unused(&["dampening"], "momentum_form 'velocity'")?;
        }
        Ok(form)
    }

    /// Returns true if the momentum of RMSprop contains the learning rate.
    fn has_rate_in_direction(&self) -> ParseResult<bool> {
        Ok(self.choice("momentum_form", &[("velocity", false), ("with-rate", true)])?.unwrap_or(false))
    }

    /// Returns the place of ε in Adam.
    fn epsilon_placement(&self) -> ParseResult<EpsilonPlacement> {
        let before = ("before-correction", EpsilonPlacement::BeforeCorrection);
        let placements = [UNCORRECTED_PLACEMENTS[0], before, UNCORRECTED_PLACEMENTS[1]];
        Ok(self.choice("epsilon_placement", &placements)?.unwrap_or(EpsilonPlacement::Outside))
    }

    /// Returns the place of ε in a rule without bias correction.
    fn uncorrected_epsilon_placement(&self) -> ParseResult<EpsilonPlacement> {
        Ok(self.choice("epsilon_placement", &UNCORRECTED_PLACEMENTS)?.unwrap_or(EpsilonPlacement::Outside))
    }

    /// Returns the learning rate of each of `steps` steps.
    pub(in crate::check::trace) fn learning_rates(&self, steps: usize) -> ParseResult<Vec<f64>> {
        let Some(text) = self.text("learning_rate") else {
            return match steps {
                0 => Ok(Vec::new()),
                _ => Err("metadata key 'learning_rate' is missing; the trace has steps".to_owned()),
            };
        };
        let number = |text: &str| text.trim().parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.0);
        let rates: Option<Vec<f64>> = text.trim_matches(['[', ']']).split(',').map(number).collect();
        match rates.as_deref() {
            None => self
                .rejected("learning_rate", "a finite, non-negative number, or one for each step, separated by commas"),
            Some(&[rate]) => Ok(vec![rate; steps.max(1)]),
            Some(rates) if rates.len() >= steps => Ok(rates.to_vec()),
            Some(rates) => Err(format!(
                "metadata entry 'learning_rate' has {} rates, but the trace has {steps} steps; expected one rate for all \
                 steps, or one for each",
                rates.len()
            )),
        }
    }

    /// Returns the weight decay.
    pub(in crate::check::trace) fn weight_decay(&self) -> ParseResult<WeightDecay> {
        let form = self.choice("weight_decay_form", &[("coupled", false), ("decoupled", true)])?;
        let is_adamw = self.optimizer()? == "adamw";
        if is_adamw && form == Some(false) {
            return Err(
                "metadata entries 'optimizer' ('adamw') and 'weight_decay_form' ('coupled') contradict each other; \
                        the optimizer 'adam' has coupled weight decay"
                    .to_owned(),
            );
        }
        let decay = WeightDecay {
            coefficient: self.non_negative("weight_decay")?.unwrap_or(0.0),
            decoupled: form.unwrap_or(is_adamw),
            weights_only: self.choice("weight_decay_on", &[("all", false), ("weights", true)])?.unwrap_or(false),
            per_image: self.flag("weight_decay_per_image")?,
            in_loss: self.flag("weight_decay_in_loss")?,
        };
        if decay.coefficient == 0.0 {
            let keys = ["weight_decay_form", "weight_decay_on", "weight_decay_per_image", "weight_decay_in_loss"];
            self.reject_unused(&keys, "a 'weight_decay' above 0")?;
        }
        Ok(decay)
    }

    /// Returns how gradients are clipped; `None` if they are not.
    pub(in crate::check::trace) fn clipping(&self) -> ParseResult<Option<Clipping>> {
        let keys = ["clip_norm", "clip_norm_per_tensor", "clip_value"];
        let present: Vec<&str> = keys.into_iter().filter(|key| self.is_present(key)).collect();
        if let [first, second, ..] = present[..] {
            return Err(format!("metadata keys '{first}' and '{second}' exclude each other"));
        }
        let epsilon = self.non_negative("clip_epsilon")?.unwrap_or(CLIP_EPSILON);
        let [norm, tensor_norm, value] = keys;
        if let Some(limit) = self.positive(norm)? {
            return Ok(Some(Clipping::GlobalNorm { limit, epsilon }));
        }
        if let Some(limit) = self.positive(tensor_norm)? {
            return Ok(Some(Clipping::TensorNorm { limit, epsilon }));
        }
        self.reject_unused(&["clip_epsilon"], "'clip_norm' and 'clip_norm_per_tensor'")?;
        Ok(self.positive(value)?.map(|limit| Clipping::Value { limit }))
    }

    /// Returns the form of the recorded gradients; `None` if the trace does not state it.
    pub(in crate::check::trace) fn gradient_form(&self) -> ParseResult<Option<GradientForm>> {
        let forms = [
            ("raw", GradientForm::Raw),
            ("summed", GradientForm::Summed),
            ("with-weight-decay", GradientForm::WithWeightDecay),
            ("clipped", GradientForm::Clipped),
            ("from-step", GradientForm::FromStep),
        ];
        let form = self.choice("gradients", &forms)?;
        if form == Some(GradientForm::Summed) && self.loss()?.reduction == Reduction::Sum {
            return Err("metadata entries 'gradients' ('summed') and 'reduction' ('sum') contradict each other; the \
                        gradients of a sum are 'raw'"
                .to_owned());
        }
        let optimizer = self.optimizer()?;
        if form == Some(GradientForm::FromStep) && !["sgd", "momentum"].contains(&optimizer) {
            return Err(format!(
                "metadata entries 'gradients' ('from-step') and 'optimizer' ('{optimizer}') contradict each other; \
                 (before − after)/rate is a gradient only with sgd and momentum"
            ));
        }
        Ok(form)
    }

    /// Returns true if weights are `[inputs, outputs]`, false if they are `[outputs, inputs]`; `None` if the trace does not
    /// state it.
    pub(in crate::check::trace) fn inputs_first(&self) -> ParseResult<Option<bool>> {
        self.choice("weights", &[("outputs-inputs", false), ("inputs-outputs", true)])
    }

    /// Returns the declared precision, and that of the factors of products; `None` if the trace does not declare one.
    pub(in crate::check::trace) fn precision(&self) -> ParseResult<Option<(Precision, ProductPrecision)>> {
        let full = ProductPrecision::Full;
        self.choice(
            "precision",
            &[
                ("f64", (Precision::Double, full)),
                ("f32", (Precision::Single, full)),
                ("tf32", (Precision::Single, ProductPrecision::Tf32)),
                ("bf16", (Precision::Single, ProductPrecision::Bf16)),
                ("f16", (Precision::Single, ProductPrecision::F16)),
            ],
        )
    }

    /// Returns true if exp, tanh, sigmoid and log are accurate to a few units in the last place.
    pub(in crate::check::trace) fn has_accurate_functions(&self) -> ParseResult<bool> {
        Ok(self.choice("functions", &[("any", false), ("accurate", true)])?.unwrap_or(false))
    }
}

//! The keys that describe the network: activation functions, output function and loss.

use mlp_parity::Activation;
use mlp_parity_scratch::reference::{
    ActivationFunction, LogarithmGuard, Loss, LossFunction, OutputFunction, Reduction,
};

use super::{Metadata, normalized};
use crate::input::ParseResult;

impl Metadata<'_> {
    /// Returns the activation function of each of `count` hidden layers.
    pub(in crate::check::trace) fn activations(&self, count: usize) -> ParseResult<Vec<ActivationFunction>> {
        let Some(text) = self.text("activation") else {
            return match count {
                0 => Ok(Vec::new()),
                _ => Err("metadata key 'activation' is missing; the network has hidden layers".to_owned()),
            };
        };
        let names: Vec<String> = text.split(',').map(normalized).collect();
        let functions: Vec<ActivationFunction> =
            names.iter().map(|name| self.activation(name)).collect::<ParseResult<_>>()?;
        for (key, users) in [("activation_slope", "leaky-relu and hard-sigmoid"), ("activation_alpha", "elu")] {
            if !names.iter().any(|name| users.split(" and ").any(|user| user == name)) {
                self.reject_unused(&[key], &format!("the activations {users}"))?;
            }
        }
        match functions[..] {
            [function] => Ok(vec![function; count]),
            _ if functions.len() == count => Ok(functions),
            _ => Err(format!(
                "metadata entry 'activation' names {} functions, but the network has {count} hidden layers; expected one \
                 for all of them, or one for each",
                functions.len()
            )),
        }
    }

    fn activation(&self, name: &str) -> ParseResult<ActivationFunction> {
        let slope = || self.non_negative("activation_slope");
        Ok(match name {
            "leaky-relu" => ActivationFunction::LeakyRelu { slope: slope()?.unwrap_or(0.01) },
            "hard-sigmoid" => {
                ActivationFunction::HardSigmoid { slope: self.positive("activation_slope")?.unwrap_or(1.0 / 6.0) }
            }
            "elu" => ActivationFunction::Elu { alpha: self.positive("activation_alpha")?.unwrap_or(1.0) },
            "selu" => ActivationFunction::Selu,
            "gelu" => ActivationFunction::Gelu,
            "gelu-tanh" => ActivationFunction::GeluTanh,
            "silu" | "swish" => ActivationFunction::Silu,
            "softplus" => ActivationFunction::Softplus,
            "identity" | "linear" => ActivationFunction::Identity,
            _ => match name.parse::<Activation>() {
                Ok(activation) => activation.into(),
                Err(_) => {
                    return Err(format!(
                        "metadata: unknown activation '{name}'; expected one of: relu, sigmoid, tanh, leaky-relu, elu, \
                         selu, gelu, gelu-tanh, silu, softplus, hard-sigmoid, identity"
                    ));
                }
            },
        })
    }

    /// Returns the loss function, with the function that computes the outputs.
    pub(in crate::check::trace) fn loss(&self) -> ParseResult<Loss> {
        let name = self.choice(
            "loss_function",
            &[
                ("cross-entropy", "cross-entropy"),
                ("squared-error", "squared-error"),
                ("binary-cross-entropy", "binary-cross-entropy"),
            ],
        )?;
        let name = name.unwrap_or("cross-entropy");
        let outputs = [
            ("softmax", OutputFunction::Softmax),
            ("sigmoid", OutputFunction::Sigmoid),
            ("tanh", OutputFunction::Tanh),
            ("linear", OutputFunction::Linear),
        ];
        let output = self.choice("output", &outputs)?;
        if name != "squared-error" {
            self.reject_unused(&["loss_factor"], "loss_function 'squared-error'")?;
        }
        let function = match (name, output) {
            ("cross-entropy", None | Some(OutputFunction::Softmax)) => LossFunction::CrossEntropy {
                guard: self.logarithm_guard()?,
                label_smoothing: self.rate("label_smoothing")?.unwrap_or(0.0),
            },
            ("binary-cross-entropy", None | Some(OutputFunction::Sigmoid)) => {
                self.reject_unused(&["label_smoothing"], "loss_function 'cross-entropy'")?;
                LossFunction::BinaryCrossEntropy { guard: self.logarithm_guard()? }
            }
            ("squared-error", _) => {
                let logarithms = ["log_epsilon", "log_clip", "log_in_gradient"];
                self.reject_unused(&logarithms, "loss_function 'cross-entropy' and 'binary-cross-entropy'")?;
                self.reject_unused(&["label_smoothing"], "loss_function 'cross-entropy'")?;
                let factor = self.positive("loss_factor")?.unwrap_or(1.0);
                LossFunction::SquaredError { output: output.unwrap_or(OutputFunction::Linear), factor }
            }
            _ => {
                return Err(format!(
                    "metadata entries 'loss_function' ('{name}') and 'output' ('{}') contradict each other; cross-entropy goes \
                     with softmax, binary-cross-entropy with sigmoid, squared-error with any output",
                    self.text("output").unwrap_or_default()
                ));
            }
        };
        let reductions =
            [("mean", Reduction::Mean), ("sum", Reduction::Sum), ("mean-over-outputs", Reduction::MeanOverOutputs)];
        Ok(Loss { function, reduction: self.choice("reduction", &reductions)?.unwrap_or(Reduction::Mean) })
    }

    fn logarithm_guard(&self) -> ParseResult<LogarithmGuard> {
        let in_gradient = self.flag("log_in_gradient")?;
        let clip = self.number("log_clip", |number| number > 0.0 && number < 0.5, "a number above 0 and below 0.5")?;
        match (self.positive("log_epsilon")?, clip) {
            (Some(_), Some(_)) => Err("metadata keys 'log_epsilon' and 'log_clip' exclude each other".to_owned()),
            (Some(epsilon), None) => Ok(LogarithmGuard::Added { epsilon, in_gradient }),
            (None, Some(epsilon)) => Ok(LogarithmGuard::Clipped { epsilon, in_gradient }),
            (None, None) => {
                self.reject_unused(&["log_in_gradient"], "'log_epsilon' and 'log_clip'")?;
                Ok(LogarithmGuard::None)
            }
        }
    }
}

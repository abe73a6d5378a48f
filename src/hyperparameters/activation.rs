//! Activation functions of the hidden layers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Activation function f of the hidden layers, a = f(z). The output layer has no activation: its softmax belongs to
/// the loss.
///
/// Parses from its [name](Self::name) in any ASCII case: `"ReLU".parse()` gives [`Activation::Relu`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Logistic function, 1 / (1 + exp(−z)).
    Sigmoid,
    /// Rectified linear unit, max(z, 0). NaN stays NaN.
    Relu,
    /// Hyperbolic tangent, tanh(z).
    Tanh,
}

impl Activation {
    /// All activation functions.
    pub const ALL: [Self; 3] = [Self::Sigmoid, Self::Relu, Self::Tanh];

    /// Returns the lower-case name used in options, records and files, such as `tanh`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Relu => "relu",
            Self::Tanh => "tanh",
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Activation {
    type Err = Error;

    /// Parses the name of an activation function. ASCII case is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the name is unknown.
    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|activation| activation.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::configuration("activation", format!("unknown activation '{name}'; expected one of: {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activation_parser_reads_every_name() {
        for activation in Activation::ALL {
            assert_eq!(activation.to_string(), activation.name());
            assert_eq!(activation.name().parse::<Activation>().unwrap(), activation);
        }
    }

    #[test]
    fn activation_parser_ignores_case_and_display_is_lower_case() {
        let spellings = [("ReLU", Activation::Relu), ("SIGMOID", Activation::Sigmoid), ("Tanh", Activation::Tanh)];
        for (spelling, activation) in spellings {
            assert_eq!(spelling.parse::<Activation>().unwrap(), activation);
            assert_eq!(activation.to_string(), spelling.to_ascii_lowercase());
        }
    }

    #[test]
    fn activation_parser_lists_names_for_unknown_name() {
        for name in ["gelu2", "", " relu", "GELU"] {
            let message = name.parse::<Activation>().unwrap_err().to_string();
            let expected = format!("activation: unknown activation '{name}'; expected one of: sigmoid, relu, tanh");
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn activation_json_is_case_sensitive() {
        assert_eq!(serde_json::to_string(&Activation::Tanh).unwrap(), r#""tanh""#);
        assert_eq!(serde_json::from_str::<Activation>(r#""relu""#).unwrap(), Activation::Relu);
        assert!(serde_json::from_str::<Activation>(r#""ReLU""#).is_err());
    }
}

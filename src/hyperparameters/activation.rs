//! The functions of the hidden layers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The function f of a hidden layer, a = f(z). The output layer has none: softmax belongs to the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// 1 / (1 + exp(−z))
    Sigmoid,
    /// max(z, 0); NaN stays NaN
    Relu,
    /// tanh(z)
    Tanh,
    /// tanh(z) with a **wrong** derivative, on purpose: the report's listing 4 applies `1 - tanh(x)**2` to the
    /// activation a = tanh(z), which gives 1 − tanh(a)² where 1 − a² is right. It trains all the same, and
    /// reproduces the report's numbers. Only an implementation by hand can offer it.
    TanhAsPrinted,
}

impl Activation {
    /// Every activation.
    pub const ALL: [Self; 4] = [Self::Sigmoid, Self::Relu, Self::Tanh, Self::TanhAsPrinted];

    /// The name in options, records and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Relu => "relu",
            Self::Tanh => "tanh",
            Self::TanhAsPrinted => "tanh-as-printed",
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

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|activation| activation.name() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::configuration("activation", format!("there is no '{name}'; there are {known}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for activation in Activation::ALL {
            assert_eq!(activation.name().parse::<Activation>().unwrap(), activation);
        }
        let message = "gelu".parse::<Activation>().unwrap_err().to_string();
        assert!(message.contains("'gelu'") && message.contains("sigmoid"), "{message}");
    }
}

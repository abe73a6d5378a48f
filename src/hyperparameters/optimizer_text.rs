//! Optimizers as text: `adam, beta1 0.95, weight decay 0.1`.

use std::fmt;
use std::str::FromStr;

use super::optimizer::{BETA1, BETA2, EPSILON, Optimizer};
use crate::{Error, Result};

/// µ of the bare name `momentum`.
const DEFAULT_MOMENTUM: f64 = 0.9;

/// The settings that a text may have after the name of the optimizer.
const SETTINGS: [&str; 5] = ["nesterov", "beta1", "beta2", "epsilon", "weight decay"];

/// Writes the name and every setting that differs from the default: `sgd`, `momentum 0.9, nesterov`,
/// `adam, beta2 0.99, weight decay 0.1`. Parsing the text gives the same optimizer.
impl fmt::Display for Optimizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())?;
        match *self {
            Self::Sgd { .. } => {}
            Self::Momentum { momentum, nesterov, .. } => {
                write!(formatter, " {momentum}{}", if nesterov { ", nesterov" } else { "" })?;
            }
            Self::Adam { beta1, beta2, epsilon, .. } | Self::AdamW { beta1, beta2, epsilon, .. } => {
                for (setting, value, default) in
                    [("beta1", beta1, BETA1), ("beta2", beta2, BETA2), ("epsilon", epsilon, EPSILON)]
                {
                    if value != default {
                        write!(formatter, ", {setting} {value}")?;
                    }
                }
            }
        }
        match self.weight_decay() {
            0.0 => Ok(()),
            decay => write!(formatter, ", weight decay {decay}"),
        }
    }
}

impl FromStr for Optimizer {
    type Err = Error;

    /// Parses a name, which stands for the optimizer with its defaults, and settings after it: `sgd`, `momentum` (µ = 0.9),
    /// `momentum 0.5, nesterov`, `adam, beta1 0.95, beta2 0.99, epsilon 0.0000001, weight decay 0.1`.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the name or a setting is unknown, the optimizer does not have the setting, a setting is
    /// given twice, or a value is not [valid](Optimizer::validate).
    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split(',').map(str::trim);
        let first = parts.next().unwrap_or_default();
        let (name, momentum) = first.split_once(' ').map_or((first, None), |(name, number)| (name, Some(number)));
        let mut optimizer = match name {
            "sgd" => Self::sgd(),
            "momentum" => Self::momentum(DEFAULT_MOMENTUM),
            "adam" => Self::adam(),
            "adamw" => Self::adamw(),
            _ => {
                let names = Self::NAMES.join(", ");
                return Err(refused(format!("unknown optimizer '{name}'; expected one of: {names}")));
            }
        };
        if let Some(momentum) = momentum {
            if !matches!(optimizer, Self::Momentum { .. }) {
                let reason = "only 'momentum' has a number after its name; settings follow a comma: 'adam, beta1 0.95'";
                return Err(refused(format!("'{first}': {reason}")));
            }
            optimizer = optimizer.with_momentum(number("momentum", momentum)?)?;
        }
        let mut given = Vec::new();
        for part in parts {
            let Some((setting, value)) = split_setting(part) else {
                let settings = SETTINGS.join(", ");
                return Err(refused(format!("unknown setting '{part}' of {name}; expected one of: {settings}")));
            };
            if given.contains(&setting) {
                return Err(refused(format!("'{text}' has {setting} twice")));
            }
            given.push(setting);
            optimizer = optimizer.with(setting, value)?;
        }
        optimizer.validate()?;
        Ok(optimizer)
    }
}

impl Optimizer {
    /// Sets one of [`SETTINGS`] to the value that stands after it in a text.
    fn with(self, setting: &'static str, value: &str) -> Result<Self> {
        // The other beta stays. Without betas, the setter refuses both.
        let [beta1, beta2] = match self {
            Self::Adam { beta1, beta2, .. } | Self::AdamW { beta1, beta2, .. } => [beta1, beta2],
            Self::Sgd { .. } | Self::Momentum { .. } => [BETA1, BETA2],
        };
        match setting {
            "nesterov" if value.is_empty() => self.with_nesterov(),
            "nesterov" => Err(refused(format!("nesterov has no value; found '{value}' after it"))),
            "beta1" => self.with_betas(number(setting, value)?, beta2),
            "beta2" => self.with_betas(beta1, number(setting, value)?),
            "epsilon" => self.with_epsilon(number(setting, value)?),
            _ => Ok(self.with_weight_decay(number(setting, value)?)),
        }
    }
}

/// The error for a text that is no optimizer.
fn refused(reason: String) -> Error {
    Error::configuration("optimizer", reason)
}

/// Splits `beta1 0.95` into setting and value; `nesterov` has an empty value. `None` if the setting is unknown.
fn split_setting(text: &str) -> Option<(&'static str, &str)> {
    SETTINGS.into_iter().find_map(|setting| {
        let value = text.strip_prefix(setting)?;
        (value.is_empty() || value.starts_with(' ')).then(|| (setting, value.trim()))
    })
}

fn number(setting: &str, text: &str) -> Result<f64> {
    text.trim().parse().map_err(|_| refused(format!("{setting}: '{text}' is not a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Optimizers and their texts, with every setting and without.
    fn texts() -> [(&'static str, Optimizer); 8] {
        let momentum = Optimizer::momentum(0.5);
        let adam = |beta1, beta2| Optimizer::adam().with_betas(beta1, beta2).unwrap();
        [
            ("sgd", Optimizer::sgd()),
            ("sgd, weight decay 0.01", Optimizer::sgd().with_weight_decay(0.01)),
            ("momentum 0.5", momentum),
            ("momentum 0.5, nesterov, weight decay 0.01", momentum.with_nesterov().unwrap().with_weight_decay(0.01)),
            ("adam", Optimizer::adam()),
            (
                "adam, beta1 0.95, beta2 0.99, epsilon 0.0000001, weight decay 0.1",
                adam(0.95, 0.99).with_epsilon(1e-7).unwrap().with_weight_decay(0.1),
            ),
            ("adam, beta2 0.99", adam(0.9, 0.99)),
            ("adamw, weight decay 0.1", Optimizer::adamw().with_weight_decay(0.1)),
        ]
    }

    #[test]
    fn optimizer_display_shows_what_differs_from_the_default() {
        for (text, optimizer) in texts() {
            assert_eq!(optimizer.to_string(), text);
        }
    }

    #[test]
    fn optimizer_parser_reads_what_display_writes() {
        for (text, optimizer) in texts() {
            assert_eq!(text.parse::<Optimizer>().unwrap(), optimizer, "{text}");
        }
        let spaced = " adam ,beta2  0.99,  beta1 0.95 ".parse::<Optimizer>().unwrap();
        assert_eq!(spaced, Optimizer::adam().with_betas(0.95, 0.99).unwrap());
    }

    #[test]
    fn optimizer_parser_takes_a_bare_name_as_the_optimizer_with_its_defaults() {
        let defaults = [Optimizer::sgd(), Optimizer::momentum(0.9), Optimizer::adam(), Optimizer::adamw()];
        assert_eq!(Optimizer::NAMES.map(|name| name.parse::<Optimizer>().unwrap()), defaults);
        assert_eq!(defaults.map(|optimizer| optimizer.name()), Optimizer::NAMES);
    }

    #[test]
    fn optimizer_parser_rejects_what_is_unknown_misplaced_repeated_or_invalid() {
        for (text, reason) in [
            ("", "unknown optimizer ''; expected one of: sgd, momentum, adam, adamw"),
            ("Adam", "unknown optimizer 'Adam'"),
            ("adam beta1 0.95", "'adam beta1 0.95': only 'momentum' has a number after its name"),
            ("momentum x", "momentum: 'x' is not a number"),
            ("momentum 1", "momentum: 1 is not in [0, 1)"),
            ("momentum 0, nesterov", "nesterov: needs a momentum above 0"),
            ("momentum, nesterov true", "nesterov has no value; found 'true' after it"),
            ("sgd, decay 0.1", "unknown setting 'decay 0.1' of sgd; expected one of: nesterov, beta1"),
            ("sgd,", "unknown setting '' of sgd"),
            ("sgd, weight decay", "weight decay: '' is not a number"),
            ("sgd, weight decay -0.1", "weight-decay: -0.1 is not"),
            ("sgd, weight decay 0.1, weight decay 0.2", "has weight decay twice"),
            ("sgd, nesterov", "sgd has no nesterov"),
            ("sgd, beta1 0.9", "sgd has no betas"),
            ("momentum, epsilon 1", "momentum has no epsilon"),
            ("adam, beta10.9", "unknown setting 'beta10.9' of adam"),
            ("adam, beta2 1", "beta2: 1 is not in [0, 1)"),
            ("adamw, epsilon NaN", "epsilon: NaN is not a positive number"),
        ] {
            let message = text.parse::<Optimizer>().unwrap_err().to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}

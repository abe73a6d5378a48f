//! Text form of optimizers, such as `adam, beta1 0.95, weight decay 0.1`: [`Display`](fmt::Display) and [`FromStr`].

use std::fmt;
use std::str::FromStr;

use super::optimizer::{BETA1, BETA2, EPSILON, Optimizer};
use crate::{Error, Result};

/// Momentum coefficient µ if the text `momentum` is not followed by a number.
const DEFAULT_MOMENTUM: f64 = 0.9;

/// All settings that may follow an optimizer's name in its text form.
const SETTINGS: [&str; 5] = ["nesterov", "beta1", "beta2", "epsilon", "weight decay"];

/// Writes the lower-case name and every setting that differs from its default: `sgd`, `momentum 0.9, nesterov`,
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

    /// Parses a name and, after commas, settings: `sgd`, `momentum 0.5, nesterov`,
    /// `adam, beta1 0.95, beta2 0.99, epsilon 1e-7, weight decay 0.1`. Settings that are not given have their defaults;
    /// `momentum` alone has µ = 0.9. ASCII case is ignored, so `AdamW, Beta1 0.95` is valid too.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the name or a setting is unknown, the optimizer does not have the setting, a setting
    /// is given twice, or a value is not [valid](Optimizer::validate).
    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split(',').map(str::trim);
        let first = parts.next().unwrap_or_default();
        let (name, momentum) = first.split_once(' ').map_or((first, None), |(name, number)| (name, Some(number)));
        let mut optimizer = match name.to_ascii_lowercase().as_str() {
            "sgd" => Self::sgd(),
            "momentum" => Self::momentum(DEFAULT_MOMENTUM),
            "adam" => Self::adam(),
            "adamw" => Self::adamw(),
            _ => {
                let names = Self::NAMES.join(", ");
                return Err(error(format!("unknown optimizer '{name}'; expected one of: {names}")));
            }
        };
        if let Some(momentum) = momentum {
            if !matches!(optimizer, Self::Momentum { .. }) {
                let reason = "only 'momentum' takes a number after its name; write settings after a comma, as in \
                              'adam, beta1 0.95'";
                return Err(error(format!("'{first}': {reason}")));
            }
            optimizer = optimizer.with_momentum(number("momentum", momentum)?)?;
        }
        let mut given = Vec::new();
        for part in parts {
            let Some((setting, value)) = split_setting(part) else {
                let (name, settings) = (optimizer.name(), optimizer.settings().join(", "));
                return Err(error(format!("unknown {name} setting '{part}'; expected one of: {settings}")));
            };
            if given.contains(&setting) {
                return Err(error(format!("'{text}' has {setting} twice")));
            }
            given.push(setting);
            optimizer = optimizer.with(setting, value)?;
        }
        optimizer.validate()?;
        Ok(optimizer)
    }
}

impl Optimizer {
    /// Returns the [`SETTINGS`] that this optimizer has.
    fn settings(&self) -> &'static [&'static str] {
        match self {
            Self::Sgd { .. } => &["weight decay"],
            Self::Momentum { .. } => &["nesterov", "weight decay"],
            Self::Adam { .. } | Self::AdamW { .. } => &["beta1", "beta2", "epsilon", "weight decay"],
        }
    }

    /// Changes one of the [`SETTINGS`] to the value given as text.
    fn with(self, setting: &'static str, value: &str) -> Result<Self> {
        // `with_betas` sets both, so the beta that is not given keeps its value. For an optimizer without betas these
        // defaults are never used: `with_betas` returns an error.
        let [beta1, beta2] = match self {
            Self::Adam { beta1, beta2, .. } | Self::AdamW { beta1, beta2, .. } => [beta1, beta2],
            Self::Sgd { .. } | Self::Momentum { .. } => [BETA1, BETA2],
        };
        match setting {
            "nesterov" if value.is_empty() => self.with_nesterov(),
            "nesterov" => Err(error(format!("nesterov takes no value; found '{value}'"))),
            "beta1" => self.with_betas(number(setting, value)?, beta2),
            "beta2" => self.with_betas(beta1, number(setting, value)?),
            "epsilon" => self.with_epsilon(number(setting, value)?),
            _ => Ok(self.with_weight_decay(number(setting, value)?)),
        }
    }
}

/// Returns the error for a text that cannot be parsed.
fn error(reason: String) -> Error {
    Error::configuration("optimizer", reason)
}

/// Splits `beta1 0.95` into setting and value, ignoring ASCII case. The value of `nesterov` is empty. Returns `None` if
/// the setting is unknown.
fn split_setting(text: &str) -> Option<(&'static str, &str)> {
    SETTINGS.into_iter().find_map(|setting| {
        let (key, value) = text.split_at_checked(setting.len())?;
        // `beta10.9` is not `beta1` with the value 0.9.
        let is_complete = value.is_empty() || value.starts_with(' ');
        (key.eq_ignore_ascii_case(setting) && is_complete).then(|| (setting, value.trim()))
    })
}

/// Parses `text`, the value of `setting`, as a number.
fn number(setting: &str, text: &str) -> Result<f64> {
    text.trim().parse().map_err(|_| error(format!("{setting}: '{text}' is not a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text forms and the optimizers that they describe, with and without each setting.
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
    fn optimizer_display_shows_settings_that_differ_from_defaults() {
        for (text, optimizer) in texts() {
            assert_eq!(optimizer.to_string(), text);
        }
    }

    #[test]
    fn optimizer_parser_reads_displayed_text() {
        for (text, optimizer) in texts() {
            assert_eq!(text.parse::<Optimizer>().unwrap(), optimizer, "{text}");
        }
        let spaced = " adam ,beta2  0.99,  beta1 0.95 ".parse::<Optimizer>().unwrap();
        assert_eq!(spaced, Optimizer::adam().with_betas(0.95, 0.99).unwrap());
    }

    #[test]
    fn optimizer_parser_applies_defaults_to_bare_names() {
        let defaults = [Optimizer::sgd(), Optimizer::momentum(0.9), Optimizer::adam(), Optimizer::adamw()];
        assert_eq!(Optimizer::NAMES.map(|name| name.parse::<Optimizer>().unwrap()), defaults);
        assert_eq!(defaults.map(|optimizer| optimizer.name()), Optimizer::NAMES);
    }

    #[test]
    fn optimizer_parser_ignores_case() {
        for (text, optimizer) in texts() {
            assert_eq!(text.to_ascii_uppercase().parse::<Optimizer>().unwrap(), optimizer, "{text}");
        }
        for (text, lower_case) in [
            ("SGD, Weight Decay 0.1", "sgd, weight decay 0.1"),
            ("Momentum 0.5, Nesterov", "momentum 0.5, nesterov"),
            ("Adam, Beta1 0.95, BETA2 0.99, Epsilon 1E-7", "adam, beta1 0.95, beta2 0.99, epsilon 0.0000001"),
            ("AdamW", "adamw"),
        ] {
            assert_eq!(text.parse::<Optimizer>().unwrap().to_string(), lower_case);
        }
    }

    #[test]
    fn optimizer_parser_rejects_repeated_setting_in_any_case() {
        let message = "adam, beta1 0.9, BETA1 0.8".parse::<Optimizer>().unwrap_err().to_string();
        assert!(message.ends_with("has beta1 twice"), "{message}");
    }

    #[test]
    fn optimizer_parser_lists_settings_of_optimizer() {
        for (name, settings) in [
            ("sgd", "weight decay"),
            ("momentum", "nesterov, weight decay"),
            ("adam", "beta1, beta2, epsilon, weight decay"),
            ("adamw", "beta1, beta2, epsilon, weight decay"),
        ] {
            let message = format!("{name}, beta3 0.1").parse::<Optimizer>().unwrap_err().to_string();
            let expected = format!("optimizer: unknown {name} setting 'beta3 0.1'; expected one of: {settings}");
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn optimizer_parser_rejects_invalid_text() {
        for (text, reason) in [
            ("", "unknown optimizer ''; expected one of: sgd, momentum, adam, adamw"),
            ("Lion 0.9", "unknown optimizer 'Lion'; expected one of: sgd"),
            ("adam beta1 0.95", "'adam beta1 0.95': only 'momentum' takes a number after its name"),
            ("momentum x", "momentum: 'x' is not a number"),
            ("momentum 1", "momentum: 1 is out of range; expected a number in [0, 1)"),
            ("momentum 0, nesterov", "nesterov: requires a momentum above 0, found 0"),
            ("momentum, nesterov true", "nesterov takes no value; found 'true'"),
            ("sgd, decay 0.1", "unknown sgd setting 'decay 0.1'; expected one of: weight decay"),
            ("sgd,", "unknown sgd setting ''"),
            ("sgd, weight decay", "weight decay: '' is not a number"),
            ("sgd, weight decay -0.1", "weight-decay: -0.1 is out of range; expected a finite, non-negative number"),
            ("sgd, weight decay 0.1, weight decay 0.2", "has weight decay twice"),
            ("sgd, nesterov", "sgd has no nesterov"),
            ("sgd, beta1 0.9", "sgd has no betas"),
            ("momentum, epsilon 1", "momentum has no epsilon"),
            ("adam, beta10.9", "unknown adam setting 'beta10.9'"),
            ("adam, beta2 1", "beta2: 1 is out of range; expected a number in [0, 1)"),
            ("adamw, epsilon NaN", "epsilon: NaN is out of range; expected a finite number above 0"),
        ] {
            let message = text.parse::<Optimizer>().unwrap_err().to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}

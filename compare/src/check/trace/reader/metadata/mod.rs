//! Parsing of a trace's metadata, which declare the operations of the implementation. `docs/trace-format.md` lists the keys.

mod network;
mod training;

use std::collections::BTreeMap;

use crate::check::trace::model::{FORMAT, FORMAT_1};
use crate::input::ParseResult;

/// The tensors of a trace, for messages.
pub(super) const TENSORS: &str = "initial.*, batch.<k>.images, batch.<k>.labels or batch.<k>.targets, batch.<k>.masks.*, \
                                  logits, outputs, loss, gradient.*, step.<k>.*";

/// The keys of version 1.
const KEYS_1: [&str; 11] = [
    "format",
    "producer",
    "activation",
    "optimizer",
    "learning_rate",
    "weight_decay",
    "momentum",
    "nesterov",
    "beta1",
    "beta2",
    "epsilon",
];

/// The keys that version 2 adds.
const KEYS_2: [&str; 31] = [
    "activation_slope",
    "activation_alpha",
    "loss_function",
    "output",
    "reduction",
    "loss_factor",
    "log_epsilon",
    "log_clip",
    "log_in_gradient",
    "label_smoothing",
    "momentum_form",
    "dampening",
    "alpha",
    "epsilon_placement",
    "amsgrad",
    "momentum_decay",
    "learning_rate_decay",
    "initial_accumulator",
    "weight_decay_form",
    "weight_decay_on",
    "weight_decay_per_image",
    "weight_decay_in_loss",
    "clip_norm",
    "clip_norm_per_tensor",
    "clip_epsilon",
    "clip_value",
    "gradients",
    "weights",
    "precision",
    "functions",
    "accept",
];

/// Largest length of a metadata key or value in bytes. Messages and tables contain some of them.
const MAX_TEXT: usize = 1000;

/// Largest length of the list of learning rates in bytes.
const MAX_RATES: usize = 1 << 20;

/// Names that other programs give to some keys.
const SYNONYMS: [(&str, &str); 14] = [
    ("lr", "learning_rate"),
    ("eta", "learning_rate"),
    ("step_size", "learning_rate"),
    ("loss_fn", "loss_function"),
    ("criterion", "loss_function"),
    ("cost", "loss_function"),
    ("eps", "epsilon"),
    ("betas", "beta1"),
    ("rho", "alpha"),
    ("l2", "weight_decay"),
    ("lambda", "weight_decay"),
    ("dtype", "precision"),
    ("clip_grad_norm", "clip_norm"),
    ("solver", "optimizer"),
];

/// Smallest similarity, from 0 to 1, of a key that is suggested.
const SIMILAR: f64 = 0.8;

/// The metadata of a trace, with the format checked and without unknown keys.
pub(super) struct Metadata<'a> {
    entries: &'a BTreeMap<String, String>,
    is_version_1: bool,
}

impl<'a> Metadata<'a> {
    /// Checks the format, the lengths of all entries, and that every key is known.
    pub(super) fn new(entries: &'a BTreeMap<String, String>) -> ParseResult<Self> {
        for (key, value) in entries {
            let limit = if key == "learning_rate" { MAX_RATES } else { MAX_TEXT };
            let length = key.len().max(value.len());
            if length > limit {
                let shown: String = key.chars().take(40).collect();
                return Err(format!("metadata entry '{shown}' has {length} bytes; at most {limit} are allowed"));
            }
        }
        let is_version_1 = match entries.get("format").map(String::as_str) {
            Some(FORMAT_1) => true,
            Some(FORMAT) => false,
            None => {
                return Err(format!(
                    "not a trace: metadata key 'format' is missing; expected '{FORMAT}' (docs/trace-format.md describes the \
                     contents of a trace)"
                ));
            }
            Some(other) => {
                return Err(format!(
                    "metadata entry 'format' is '{other}'; this version reads '{FORMAT_1}' and '{FORMAT}'"
                ));
            }
        };
        if let Some(key) = entries.keys().find(|key| !is_key(key)) {
            return Err(unknown_key(key));
        }
        if let Some(key) = entries.keys().find(|key| is_version_1 && !KEYS_1.contains(&key.as_str())) {
            return Err(format!("metadata key '{key}' needs the format '{FORMAT}'; this trace has '{FORMAT_1}'"));
        }
        Ok(Self { entries, is_version_1 })
    }

    /// Returns the name of the program that computed the results.
    pub(super) fn producer(&self) -> &str {
        self.text("producer").unwrap_or("unknown producer")
    }

    /// Returns the identifiers of accepted explanations.
    pub(super) fn accepted(&self) -> Vec<String> {
        let identifiers = self.text("accept").unwrap_or_default().split(',').map(normalized);
        identifiers.filter(|identifier| !identifier.is_empty()).collect()
    }

    /// Returns the entries without format and producer, and without those of version 1 that have no meaning.
    pub(super) fn entries(&self) -> BTreeMap<String, String> {
        let is_kept =
            |key: &String| !["format", "producer", "weights"].contains(&key.as_str()) && !self.is_ignored(key);
        self.entries.iter().filter(|(key, _)| is_kept(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(String::as_str)
    }

    fn is_present(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Returns an error about the value of a key.
    fn rejected<T>(&self, key: &str, expected: &str) -> ParseResult<T> {
        let value = self.text(key).unwrap_or_default();
        Err(format!("metadata entry '{key}' is '{value}'; expected {expected}"))
    }

    /// Returns the value of a key with a list of allowed names; `None` if the key is absent.
    fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> ParseResult<Option<T>> {
        let Some(text) = self.text(key) else { return Ok(None) };
        match choices.iter().find(|(name, _)| *name == normalized(text)) {
            Some(&(_, value)) => Ok(Some(value)),
            None => {
                let names: Vec<&str> = choices.iter().map(|&(name, _)| name).collect();
                self.rejected(key, &format!("one of: {}", names.join(", ")))
            }
        }
    }

    fn flag(&self, key: &str) -> ParseResult<bool> {
        Ok(self.choice(key, &[("false", false), ("true", true)])?.unwrap_or(false))
    }

    /// Returns a finite number that `is_allowed`, described by `expected`; `None` if the key is absent.
    fn number(&self, key: &str, is_allowed: fn(f64) -> bool, expected: &str) -> ParseResult<Option<f64>> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let number = text.trim().parse().ok().filter(|&number: &f64| number.is_finite() && is_allowed(number));
        number.map_or_else(|| self.rejected(key, expected), |number| Ok(Some(number)))
    }

    fn non_negative(&self, key: &str) -> ParseResult<Option<f64>> {
        self.number(key, |number| number >= 0.0, "a finite, non-negative number")
    }

    fn positive(&self, key: &str) -> ParseResult<Option<f64>> {
        self.number(key, |number| number > 0.0, "a finite number above 0")
    }

    /// Returns a decay rate in [0, 1).
    fn rate(&self, key: &str) -> ParseResult<Option<f64>> {
        self.number(key, |number| (0.0..1.0).contains(&number), "a number from 0 to below 1")
    }

    /// Rejects keys that have no meaning for the value of another key.
    fn reject_unused(&self, keys: &[&str], reason: &str) -> ParseResult<()> {
        match keys.iter().find(|key| !self.is_version_1 && self.is_present(key)) {
            Some(key) => Err(format!("metadata key '{key}' goes only with {reason}")),
            None => Ok(()),
        }
    }
}

/// Returns a value in lower case, with hyphens between words.
fn normalized(text: impl AsRef<str>) -> String {
    text.as_ref().trim().to_lowercase().replace(['_', ' '], "-")
}

/// Returns the error about an unknown key.
fn unknown_key(key: &str) -> String {
    let keys = || KEYS_1.iter().chain(&KEYS_2).copied();
    let name = normalized(key).replace('-', "_");
    let synonym = SYNONYMS.iter().find(|(synonym, _)| *synonym == name).map(|&(_, meant)| meant);
    let similarity = |known: &str| strsim::jaro_winkler(&name, known);
    let similar = keys().max_by(|left, right| similarity(left).total_cmp(&similarity(right)));
    let meant = synonym.or(similar.filter(|known| similarity(known) >= SIMILAR));
    let advice = match meant {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => format!("tensors are {TENSORS}; keys are {}", keys().collect::<Vec<_>>().join(", ")),
    };
    format!("'{key}' is neither a tensor nor a metadata key; {advice}")
}

/// Returns true for a key of any version.
pub(super) fn is_key(key: &str) -> bool {
    KEYS_1.contains(&key) || KEYS_2.contains(&key)
}

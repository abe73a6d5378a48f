//! Trained networks that commands start from, evaluate or export: the file, and what its options add to it.

use std::path::Path;

#[cfg(feature = "full")]
use mlp_parity::mnist::DataSource;
use mlp_parity::{Activation, Dataset, MlpConfig, Parameters};
use mlp_parity_compare::{PixelScaling, SavedNetwork, training};

use crate::args::{ActivationChoice, InitialOptions, SavedOptions, ScalingOptions};
use crate::error::{Error, Result};
use crate::implementation;
use crate::memory::ensure_loadable;
use crate::output::print::eprint_line;

/// Smallest gain in test accuracy, as a fraction, for which another scaling of the pixels is suggested.
const SUGGESTED_GAIN: f64 = 0.02;

/// Smallest test accuracy, as a fraction, with which another scaling is suggested: an untrained network may gain by chance.
const SUGGESTED_ACCURACY: f64 = 0.5;

/// A network whose inputs are pixels from 0 to 1.
pub(crate) struct Network {
    pub(crate) config: MlpConfig,
    pub(crate) parameters: Parameters<f32>,
    saved: SavedNetwork,
}

impl SavedOptions {
    /// Reads the network, and prints on standard error what had to be assumed. Its test images are those of `test_images`,
    /// which is called only for `--activation auto`.
    ///
    /// # Errors
    ///
    /// Those of [`SavedNetwork::load`] and `test_images`, and [`Error::Usage`] if the activation is unknown or contradicts the
    /// file, or the deviation of the pixels is 0.
    pub(crate) fn network(&self, quiet: bool, test_images: impl FnOnce() -> Result<Dataset>) -> Result<Network> {
        let scaling = self.scaling.scaling()?;
        let saved = load(&self.file, quiet)?;
        let activation = match self.activation {
            Some(ActivationChoice::Auto) if saved.activation.is_none() && saved.parameters.layers().len() > 1 => {
                let activation = best_activation(&self.file, &saved, scaling, &test_images()?, quiet)?;
                Some(activation)
            }
            Some(ActivationChoice::Given(activation)) => Some(activation),
            Some(ActivationChoice::Auto) | None => None,
        };
        let config = config(&self.file, &saved, activation)?;
        Ok(Network { config, parameters: scaling.fold(&saved.parameters).cast(), saved })
    }
}

impl Network {
    /// Checks that the network has one output for each class of the data set, as one that was trained for another purpose, such
    /// as an autoencoder, does not.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Data`] with both numbers.
    pub(crate) fn check_classes(&self, images: &Dataset) -> Result<()> {
        let (outputs, classes) = (self.config.classes(), images.classes());
        if outputs == classes {
            return Ok(());
        }
        let reason = format!(
            "{classes} classes, but the network ({}) has {outputs} outputs; expected one output for each class, so give the data \
             that it was trained on with --data",
            self.config
        );
        Err(mlp_parity::Error::data("data set", reason).into())
    }

    /// Returns the name of the usual scaling of pixels with the highest test accuracy, and that accuracy, if it is far above
    /// `accuracy`, that of the scaling in use.
    pub(crate) fn better_scaling(&self, accuracy: f64, images: &Dataset) -> Result<Option<(&'static str, f64)>> {
        let mut best = None;
        let mut highest = SUGGESTED_ACCURACY.max(accuracy + SUGGESTED_GAIN);
        for (name, scaling) in PixelScaling::NAMED {
            let found = test_accuracy(&self.saved, self.config.activation(), scaling, images)?;
            if found > highest {
                (best, highest) = (Some((name, found)), found);
            }
        }
        Ok(best)
    }
}

impl InitialOptions {
    /// Reads the network in the file of `--initial`, if the option is given. `activation` is that of the options.
    ///
    /// # Errors
    ///
    /// Those of [`SavedNetwork::load`], and [`Error::Usage`] if the activation is unknown or contradicts the file.
    pub(crate) fn network(
        &self,
        activation: Option<Activation>,
        quiet: bool,
    ) -> Result<Option<(MlpConfig, Parameters<f32>)>> {
        let Some(path) = &self.initial else { return Ok(None) };
        let saved = load(path, quiet)?;
        Ok(Some((config(path, &saved, activation)?, saved.parameters.cast())))
    }
}

impl ScalingOptions {
    /// Returns the scaling that the options state, by default from 0 to 1.
    fn scaling(&self) -> Result<PixelScaling> {
        if let Some(name) = &self.pixels {
            let named = PixelScaling::NAMED.into_iter().find(|(known, _)| known == name);
            return Ok(named.map_or(PixelScaling::UNIT, |(_, scaling)| scaling));
        }
        let scaling = PixelScaling { mean: self.mean.unwrap_or(0.0), deviation: self.std.unwrap_or(1.0) };
        match scaling.deviation {
            deviation if deviation > 0.0 && deviation.is_finite() && scaling.mean.is_finite() => Ok(scaling),
            deviation => Err(Error::Usage(format!("--std: {deviation} is out of range; expected more than 0"))),
        }
    }
}

/// Returns MNIST's test images, which are part of the program.
#[cfg(feature = "full")]
pub(crate) fn embedded_test_images() -> Result<Dataset> {
    Ok(DataSource::Embedded.load()?.test)
}

/// Reads a network, and prints what had to be assumed.
fn load(path: &Path, quiet: bool) -> Result<SavedNetwork> {
    ensure_loadable(path)?;
    let saved = SavedNetwork::load(path)?;
    if !quiet && !saved.assumptions.is_empty() {
        eprint_line(format_args!("{}: {}", path.display(), saved.assumptions.join("; ")));
    }
    Ok(saved)
}

/// Returns the configuration of the network, with the given activation or that of the file.
fn config(path: &Path, saved: &SavedNetwork, activation: Option<Activation>) -> Result<MlpConfig> {
    if activation.is_none() && saved.activation.is_none() && saved.parameters.layers().len() > 1 {
        return Err(Error::Usage(format!(
            "{} does not state the activation of its hidden layers; add --activation relu, sigmoid or tanh, as it was trained \
             (in evaluate, predict and export also auto, which tries each)",
            path.display()
        )));
    }
    Ok(saved.config(activation)?)
}

/// Returns the activation with the highest test accuracy, and prints the accuracies.
fn best_activation(
    path: &Path,
    saved: &SavedNetwork,
    scaling: PixelScaling,
    images: &Dataset,
    quiet: bool,
) -> Result<Activation> {
    let accuracy =
        |activation| test_accuracy(saved, activation, scaling, images).map(|accuracy| (activation, accuracy));
    let mut accuracies = Activation::ALL.into_iter().map(accuracy).collect::<Result<Vec<_>>>()?;
    accuracies.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let listed: Vec<String> =
        accuracies.iter().map(|(activation, accuracy)| format!("{activation} {:.2} %", accuracy * 100.0)).collect();
    if !quiet {
        eprint_line(format_args!("{}: test accuracy by activation: {}", path.display(), listed.join(", ")));
    }
    Ok(accuracies.first().map_or(Activation::Relu, |(activation, _)| *activation))
}

/// Returns the test accuracy of a network by the hand-written implementation.
fn test_accuracy(saved: &SavedNetwork, activation: Activation, scaling: PixelScaling, images: &Dataset) -> Result<f64> {
    let config = SavedNetwork { activation: None, ..saved.clone() }.config(Some(activation))?;
    let network = implementation::scratch()?.create(&config, &scaling.fold(&saved.parameters).cast())?;
    Ok(training::evaluate(network.as_ref(), images)?.accuracy)
}

//! Provenance of a result: the program, the machine, the data and the settings that it depends on.

use maud::{Markup, html};
use mlp_parity::mnist::Mnist;
use mlp_parity::{MlpConfig, TrainingConfig};
use mlp_parity_compare::bench::processor;
use mlp_parity_compare::check::Trace;
use mlp_parity_compare::record::Environment;
#[cfg(feature = "full")]
use mlp_parity_compare::record::{DatasetRecord, RunContext};
use mlp_parity_compare::reproduction::display;
use mlp_parity_compare::{Candidate, NamedTraining};

use crate::input::source::Source;
use crate::output::escape::shell_argument;

/// Names and values, in the order in which they are displayed.
pub(crate) struct Provenance(Vec<(String, String)>);

impl Provenance {
    /// Describes the program, the command line, the machine and the candidates.
    pub(crate) fn new(environment: &Environment, candidates: &[Candidate]) -> Self {
        let Environment { version, revision, os, arch, threads } = environment;
        let mut provenance = Self(Vec::new());
        provenance.add("command", command_line());
        provenance.add("program", format!("mlp-parity {version}, revision {revision}"));
        let processor = processor().map_or_else(String::new, |processor| format!(", {processor}"));
        let threads = if *threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
        provenance.add("machine", format!("{os} {arch}{processor}, {threads}"));
        for candidate in candidates {
            provenance.add("implementation", display::machine(candidate.identity()));
        }
        provenance
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Adds a trace: its producer, and the metadata that it declares.
    pub(crate) fn add_trace(&mut self, trace: &Trace) {
        let sizes: Vec<String> = trace.initial().sizes().iter().map(usize::to_string).collect();
        self.add("producer of the trace", &trace.producer);
        self.add("layers", sizes.join("-"));
        for (key, value) in trace.metadata() {
            self.add(&format!("trace: {key}"), value);
        }
    }

    /// Adds the images of a source.
    pub(crate) fn add_images(&mut self, source: &Source, images: &Mnist) {
        self.add("images", format!("{source}, {} for training; {}", images.train.len(), images.digest));
    }

    /// Adds the network and the training configurations.
    pub(crate) fn add_training(&mut self, config: &MlpConfig, trainings: &[NamedTraining]) {
        self.add("network", config.to_string());
        for NamedTraining { name, config } in trainings {
            self.add(&format!("training {name}"), training(config));
        }
    }

    /// Adds the data set, the network and the training configurations of a comparison.
    #[cfg(feature = "full")]
    pub(crate) fn add_comparison(&mut self, context: &RunContext<'_>) {
        let DatasetRecord { source, digest, train, test } = context.dataset;
        self.add("images", format!("{source}, {train} for training, {test} for testing; {digest}"));
        self.add_training(context.config, context.trainings);
    }

    /// Returns the section.
    pub(super) fn section(&self) -> Markup {
        html! {
            section {
                h2 id="provenance" { "Provenance" }
                dl class="provenance" { @for (name, value) in &self.0 { dt { (name) } dd { (value) } } }
            }
        }
    }
}

/// Describes a training configuration.
fn training(config: &TrainingConfig) -> String {
    let epochs = if config.epochs() == 1 { "1 epoch".to_owned() } else { format!("{} epochs", config.epochs()) };
    format!(
        "{}, learning rate {} ({}), batches of {}, {epochs}, seed {}",
        config.optimizer(),
        config.learning_rate(),
        config.schedule(),
        config.batch_size(),
        config.seed()
    )
}

/// Returns the command line of this process, as one would type it in a shell.
fn command_line() -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| shell_argument(&argument.to_string_lossy()));
    std::iter::once("compare".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

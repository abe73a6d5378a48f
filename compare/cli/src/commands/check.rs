//! The ladder alone.

use mlp_parity::mnist::CLASSES;
use mlp_parity::{Dataset, Parameters, SafetensorsFile};
use mlp_parity_compare::NamedPlan;
use mlp_parity_compare::check::{self, Case, Plan, Trace};

use crate::args::values::{FRAMEWORK, FROM_SCRATCH};
use crate::args::{CheckOptions, NetworkOptions, PlanOptions};
use crate::error::{Result, verdict_exit_code};
use crate::implementation::{self, participants};
use crate::input::source::Source;
use crate::output::print::{print, print_json};
use crate::output::writable::writable;
use crate::output::{junit, terminal};

/// Images that are made up: three batches and a half for the loop, and more for the steps.
const SYNTHETIC_BATCHES: usize = 6;

pub(crate) fn run(options: &CheckOptions) -> Result<u8> {
    implementation::check_activation(options.network.activation)?;
    options.common.use_threads()?;
    let participants = participants(&options.framework)?;
    options.junit.as_deref().map_or(Ok(()), writable)?;
    let ladder = match &options.trace {
        Some(path) => Trace::load(path)?.check(&participants)?,
        None => {
            let plans = options.plan.plans(&[FROM_SCRATCH, FRAMEWORK])?;
            check::check(&case(&options.network, &options.plan, &plans, options.data.as_ref())?, &participants)?
        }
    };
    if let Some(path) = &options.junit {
        junit::ladder(&ladder, path)?;
    }
    if options.common.json {
        print_json(ladder.document())?;
    } else {
        print(terminal::ladder(&ladder, options.verbose))?;
    }
    Ok(verdict_exit_code(ladder.verdict()))
}

/// What is checked, on made-up images where no others are named.
pub(super) fn case(
    network: &NetworkOptions,
    plan: &PlanOptions,
    plans: &[NamedPlan],
    data: Option<&Source>,
) -> Result<Case> {
    let dataset = match data {
        Some(source) => source.load()?.train,
        None => Dataset::synthetic(plan.batch_size.saturating_mul(SYNTHETIC_BATCHES), [28, 28], CLASSES, plan.seed)?,
    };
    let config = network.config(&dataset)?;
    let parameters = Parameters::glorot_uniform(&config, plan.seed);
    let plans = plans.iter().map(Plan::from).collect();
    Ok(Case::new(config, parameters, &dataset, plan.batch_size, plan.seed, plans)?)
}

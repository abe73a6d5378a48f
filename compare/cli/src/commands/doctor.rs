//! `compare doctor`: lists the available implementations and backends, and why the others are unavailable.

use mlp_parity_compare::record::Environment;
#[cfg(feature = "full")]
use mlp_parity_framework::Backend;
use serde_json::json;

use crate::args::DoctorOptions;
use crate::error::Result;
#[cfg(feature = "full")]
use crate::implementation::open_local;
use crate::output::print::print_json;
use crate::output::terminal::{Column, Page, Table};

/// The availability of an implementation on this machine.
struct Availability {
    /// Name of the implementation and, for the framework, of its backend: `scratch`, `framework/flex`.
    name: String,
    /// Description of the device that the implementation runs on, or the reason why it cannot run.
    device: Result<String, String>,
    /// True if the implementation is part of this build.
    is_built: bool,
}

/// Runs `compare doctor` and returns the exit code.
pub(crate) fn run(options: &DoctorOptions) -> Result<u8> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let environment = Environment::current(threads);
    let kernels = mlp_parity_scratch::kernels::instruction_set();
    let device = kernels.map(|kernels| format!("cpu ({kernels})")).map_err(|error| error.to_string());
    let scratch = Availability { name: "scratch".to_owned(), device, is_built: true };
    let implementations: Vec<Availability> = [scratch].into_iter().chain(of_framework()).collect();
    if options.json {
        let implementations: Vec<_> = implementations
            .into_iter()
            .map(|Availability { name, device, .. }| {
                let problem = device.as_ref().err().cloned();
                json!({"name": name, "device": device.ok(), "problem": problem})
            })
            .collect();
        let document = json!({
            "format": "mlp-parity-doctor/1",
            "environment": environment,
            "implementations": implementations,
        });
        print_json(serde_json::to_string_pretty(&document))?;
        return Ok(0);
    }
    let Environment { version, revision, os, arch, threads } = environment;
    let mut page = Page::new();
    page.paragraph(&format!("compare {version} ({revision}) on {os} {arch}, {threads} threads"));
    let mut table = Table::new([Column::text("implementation"), Column::text("available"), Column::name("device")]);
    let mut reasons = Vec::new();
    let is_complete = implementations.iter().all(|implementation| implementation.is_built);
    for Availability { name, device, is_built } in implementations {
        let available = match (&device, is_built) {
            (Ok(_), _) => "yes",
            (Err(_), true) => "no",
            (Err(_), false) => "not built",
        };
        reasons.extend(device.as_ref().err().filter(|_| is_built).map(|reason| format!("{name}: {reason}")));
        table.add_row([name, available.to_owned(), device.unwrap_or_default()]);
    }
    if !is_complete {
        reasons.push("not built: rebuild with `--features NAME`, where NAME is that of the backend".to_owned());
    }
    page.table("", table);
    if !reasons.is_empty() {
        page.lines(reasons);
    }
    page.print()?;
    Ok(0)
}

/// Returns the availability of the framework on each backend.
#[cfg(feature = "full")]
fn of_framework() -> Vec<Availability> {
    let availability = |backend| {
        let device = open_local(backend).map(|open| open.description).map_err(|error| error.to_string());
        Availability { name: format!("framework/{backend}"), device, is_built: backend.is_built() }
    };
    Backend::ALL.map(availability).into()
}

/// The checker is built without the framework.
#[cfg(not(feature = "full"))]
fn of_framework() -> Vec<Availability> {
    Vec::new()
}

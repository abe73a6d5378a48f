//! Candidates (implementations under test) that use the framework, Burn.

use mlp_parity::Differentiable;
use mlp_parity_compare::Candidate;
use mlp_parity_framework::{Backend, Mlp};

use super::identity;

/// Environment variable that makes tests fail if there is no graphics adapter. Without it, such tests are skipped.
const REQUIRE_WGPU: &str = "MLP_PARITY_REQUIRE_WGPU";

/// Returns the candidates of the framework (Burn) that run on the CPU.
pub fn cpu_candidates() -> Vec<Candidate> {
    [Backend::Flex, Backend::NdArray].into_iter().filter_map(candidate).collect()
}

/// Returns the candidate of the framework (Burn) that runs on a GPU. Prints a note and returns `None` if this machine
/// has no graphics adapter.
pub fn gpu_candidate() -> Option<Candidate> {
    candidate(Backend::Wgpu)
}

/// Returns the framework's candidate on the default device of `backend`, if this machine has one.
fn candidate(backend: Backend) -> Option<Candidate> {
    let device = match backend.open() {
        Ok(device) => device,
        Err(error) if std::env::var_os(REQUIRE_WGPU).is_some() => panic!("{REQUIRE_WGPU} is set, but {error}"),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            return None;
        }
    };
    Some(Candidate::new(identity("framework", Some(backend.name())), move |config, parameters| {
        Ok(Box::new(Mlp::new(config.clone(), parameters, &device)?) as Box<dyn Differentiable>)
    }))
}

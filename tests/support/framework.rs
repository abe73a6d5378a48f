//! The network of the framework.

use mlp_parity::Differentiable;
use mlp_parity_compare::Candidate;
use mlp_parity_framework::{Backend, Mlp};

use super::identity;

/// Set where a missing graphics adapter must fail the tests instead of skipping them.
const REQUIRE_WGPU: &str = "MLP_PARITY_REQUIRE_WGPU";

pub fn on_the_processor() -> Vec<Candidate> {
    [Backend::Flex, Backend::NdArray].into_iter().filter_map(on).collect()
}

/// `None` if this machine has no adapter, which is said.
pub fn on_the_graphics_card() -> Option<Candidate> {
    on(Backend::Wgpu)
}

fn on(backend: Backend) -> Option<Candidate> {
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

//! A device of this machine for clients elsewhere.

use std::net::TcpListener;

use mlp_parity_compare::Verdict;
use mlp_parity_framework::Backend;

use crate::args::ServeDeviceOptions;
use crate::error::{Error, Result, verdict_exit_code};
use crate::implementation::{open, token};
use crate::output::print::tell;

pub(crate) fn run(options: &ServeDeviceOptions) -> Result<u8> {
    let token = token(&options.token_file)?;
    if token.is_empty() {
        return Err(Error::Usage(format!("--token-file: {} has no token", options.token_file.display())));
    }
    let device = open(options.framework.backend.unwrap_or(Backend::Flex), &options.framework.remote)?;
    let listen = format!("--listen {}", options.listen);
    let listener = TcpListener::bind(options.listen).map_err(mlp_parity::Error::io("open", listen.as_ref()))?;
    let address = listener.local_addr().map_err(mlp_parity::Error::io("open", listen.as_ref()))?;
    if !address.ip().is_loopback() {
        tell("warning: whoever can read the network between can read the token and all that is computed");
    }
    tell(format_args!("serving {} ({}) at ws://{address}", device.backend, device.description));
    device.serve(listener, &token).map_err(mlp_parity::Error::from)?;
    Ok(verdict_exit_code(Verdict::Interrupted))
}

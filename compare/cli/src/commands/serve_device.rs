//! `compare serve-device`: serves a device of this machine to `--backend remote` on other machines.

use std::net::TcpListener;

use mlp_parity_compare::Verdict;

use crate::args::ServeDeviceOptions;
use crate::error::{Error, Result, verdict_exit_code};
use crate::implementation::{open_local, read_token};
use crate::output::print::eprint_line;

/// Runs `compare serve-device` until it is interrupted, and returns the exit code.
pub(crate) fn run(options: &ServeDeviceOptions) -> Result<u8> {
    let token = read_token(&options.token_file)?;
    if token.is_empty() {
        return Err(Error::Usage(format!("--token-file: {} is empty; expected a token", options.token_file.display())));
    }
    let device = open_local(options.backend).map_err(mlp_parity::Error::from)?;
    let listen = format!("--listen {}", options.listen);
    let listener = TcpListener::bind(options.listen).map_err(mlp_parity::Error::io("open", listen.as_ref()))?;
    let address = listener.local_addr().map_err(mlp_parity::Error::io("open", listen.as_ref()))?;
    if !address.ip().is_loopback() {
        eprint_line("warning: the connection is not encrypted: the token and all data can be read on the network");
    }
    eprint_line(format_args!("serving {} ({}) at ws://{address}", device.backend, device.description));
    device.serve(listener, &token).map_err(mlp_parity::Error::from)?;
    Ok(verdict_exit_code(Verdict::Interrupted))
}

//! Access to devices of other machines through Burn's remote backend: a client and a server.
//!
//! The connection encrypts neither the tensors nor the token, so use it only over the loopback interface or a tunnel.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use burn::remote::{ConnectError, RemoteHost};
use burn::server::{RemoteServer, TokenAuthorizer, WebSocketTransport};
use burn::tensor::Device;
use tokio::runtime::Runtime;

use crate::admission::{Admission, MAX_TOKEN};
use crate::{Backend, Error, OpenDevice};

impl OpenDevice {
    /// Opens the device that the server at `url` (for example `ws://127.0.0.1:3737`) shares with clients that present
    /// its token.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`] if the server cannot be reached or rejects the token.
    pub fn remote(url: &str, token: &str) -> Result<Self, Error> {
        let host = RemoteHost::websocket(url).with_credential(token);
        let device = Device::remote_options(&host).init().map_err(|error| Error::NoDevice {
            backend: Backend::Remote,
            // Burn's own advice is replaced by `remedy`.
            reason: format!("{url}: {error}").trim_end_matches("; is the server running?").to_owned(),
            remedy: match error {
                ConnectError::Unauthorized => "use the same token on both sides",
                _ => "start a server there, or choose another address",
            },
        })?;
        Ok(Self { backend: Backend::Remote, device, description: url.to_owned(), is_emulated: false })
    }

    /// Serves this device on `listener` to clients that present `token`, until the process is terminated.
    ///
    /// Before a client has presented the token, its time and its bytes are limited: see the constants of the module
    /// `admission`.
    ///
    /// # Errors
    ///
    /// [`Error::Server`] if the token is empty or longer than 4096 bytes, or with any error of the operating system or
    /// Burn.
    pub fn serve(&self, listener: TcpListener, token: &str) -> Result<(), Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Server(error.to_string());
        if token.len() > MAX_TOKEN {
            return Err(Error::Server(format!("the token has {} bytes; expected at most {MAX_TOKEN}", token.len())));
        }
        let admission = Admission::new(TokenAuthorizer::new(token).map_err(|error| failed(&error))?);
        let server = RemoteServer::new([self.device.clone()]).with_authorizer(admission.authorizer());
        let private = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| failed(&error))?;
        // Closes the public listener and all connections when this function returns.
        let _runtime = forward(admission, listener, &private).map_err(|error| failed(&error))?;
        server.serve(WebSocketTransport::from_listener(private)).map_err(|error| failed(&error))
    }
}

/// Starts to forward clients from `listener` to Burn's server at `private`, until the returned runtime is dropped.
fn forward(admission: Arc<Admission>, listener: TcpListener, private: &TcpListener) -> io::Result<Runtime> {
    let server = private.local_addr()?;
    listener.set_nonblocking(true)?;
    let runtime = Runtime::new()?;
    let listener = {
        let _context = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    runtime.spawn(admission.forward(listener, server));
    Ok(runtime)
}

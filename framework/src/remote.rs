//! Access to devices of other machines through Burn's remote backend: a client and a server.
//!
//! The connection encrypts neither the tensors nor the token, so use it only over the loopback interface or a tunnel.

use std::net::TcpListener;

use burn::remote::{ConnectError, RemoteHost};
use burn::server::{RemoteServer, TokenAuthorizer, WebSocketTransport};
use burn::tensor::Device;

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
        Ok(Self { backend: Backend::Remote, device, description: url.to_owned() })
    }

    /// Serves this device on `listener` to clients that present `token`, until the process is terminated.
    ///
    /// # Errors
    ///
    /// [`Error::Server`] if the token is empty, or with any error that Burn reports.
    pub fn serve(&self, listener: TcpListener, token: &str) -> Result<(), Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Server(error.to_string());
        let authorizer = TokenAuthorizer::new(token).map_err(|error| failed(&error))?;
        let server = RemoteServer::new([self.device.clone()]).with_authorizer(authorizer);
        server.serve(WebSocketTransport::from_listener(listener)).map_err(|error| failed(&error))
    }
}

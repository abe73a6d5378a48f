//! Devices of other machines, on Burn's remote backend. Tensors and the token travel unencrypted: over a loopback or a tunnel.

use std::net::TcpListener;

use burn::remote::{ConnectError, RemoteHost};
use burn::server::{RemoteServer, TokenAuthorizer, WebSocketTransport};
use burn::tensor::Device;

use crate::{Backend, Error, OpenDevice};

impl OpenDevice {
    /// Opens the device that a server at this address (`ws://127.0.0.1:3737`) has for whoever knows its token.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`] if there is no server, or it does not take the token.
    pub fn remote(url: &str, token: &str) -> Result<Self, Error> {
        let host = RemoteHost::websocket(url).with_credential(token);
        let device = Device::remote_options(&host).init().map_err(|error| Error::NoDevice {
            backend: Backend::Remote,
            reason: format!("{url}: {error}").trim_end_matches("; is the server running?").to_owned(),
            remedy: match error {
                ConnectError::Unauthorized => "Give both sides the same token",
                _ => "Start a server there, or choose another address",
            },
        })?;
        Ok(Self { backend: Backend::Remote, device, description: url.to_owned() })
    }

    /// Serves this device to whoever knows the token, until the process is told to end.
    ///
    /// # Errors
    ///
    /// [`Error::Server`] if the token is empty, or what Burn reports.
    pub fn serve(&self, listener: TcpListener, token: &str) -> Result<(), Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Server(error.to_string());
        let authorizer = TokenAuthorizer::new(token).map_err(|error| failed(&error))?;
        let server = RemoteServer::new([self.device.clone()]).with_authorizer(authorizer);
        server.serve(WebSocketTransport::from_listener(listener)).map_err(|error| failed(&error))
    }
}

//! Admission of clients to a device server: limits on the time and the bytes that a client may use before it has
//! presented the token.
//!
//! Burn's server reads messages of up to 1 GiB from every client, waits without limit for a client's first message, and
//! offers no settings for either. Therefore Burn listens only on the loopback interface, and this module on the public
//! address. It forwards a client's WebSocket handshake and its first message, which contains the token, within the
//! limits below, and everything else only after Burn has accepted the token. From then on it copies bytes in both
//! directions without looking at them.
//!
//! Two limits of Burn remain: a client with the token can send messages of up to 1 GiB, and so can any program on the
//! same machine that finds Burn's port, before Burn refuses it.

use std::collections::HashMap;
use std::future;
use std::io::{self, Cursor};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use burn::server::{AuthorizationRequest, ClientId, PeerAuthorizer, TokenAuthorizer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, copy, copy_buf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use tungstenite::handshake::client::Response;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::Request;
use tungstenite::http::StatusCode;
use tungstenite::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use tungstenite::protocol::frame::FrameHeader;

/// Longest time from accepting a connection to accepting its token.
const MAX_ADMISSION_TIME: Duration = Duration::from_secs(5);

/// Maximum number of connections whose token has not been accepted yet. Further clients wait until one of them is
/// accepted or closed.
const MAX_PENDING: usize = 64;

/// Maximum size of the request and of the response that open a WebSocket, in bytes.
const MAX_HEAD: usize = 4096;

/// Maximum size of a client's first message, which contains the token, in bytes.
const MAX_FIRST_MESSAGE: u64 = 8192;

/// Maximum size of a token, in bytes.
pub(crate) const MAX_TOKEN: usize = 4096;

/// Maximum size of the header of a WebSocket frame, in bytes.
const MAX_FRAME_HEADER: usize = 14;

/// Path of Burn's sessions. Its other path, for transfers between servers, requires no token.
const SESSION_PATH: &str = "/session";

/// Size of the buffers between a client and Burn's server, in bytes.
const BUFFER: usize = 1 << 16;

/// Detects clients that vanished without closing their connection, after 30 seconds at most. Burn has the same settings,
/// but sees only the connection from this module.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5)).with_retries(4);

/// Delay after a failed attempt to accept a connection, for example because too many files are open.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);

/// The clients whose token Burn has yet to check, and the check itself.
pub(crate) struct Admission {
    token: TokenAuthorizer,
    /// For each such client, by the address of its connection to Burn: its own address, and the receiver of the result.
    pending: Mutex<Pending>,
}

type Pending = HashMap<SocketAddr, (SocketAddr, oneshot::Sender<()>)>;

impl Admission {
    pub(crate) fn new(token: TokenAuthorizer) -> Arc<Self> {
        Arc::new(Self { token, pending: Mutex::default() })
    }

    /// Returns the authorizer for Burn's server. It accepts only clients that came through [`Self::forward`] and
    /// present the token.
    pub(crate) fn authorizer(self: &Arc<Self>) -> impl PeerAuthorizer + use<> {
        let admission = Arc::clone(self);
        move |request: AuthorizationRequest<'_>| {
            let AuthorizationRequest { client, device_index, credential } = request;
            let client = match client {
                ClientId::WebSocket(address) => admission.pending().remove(&address),
                _ => None,
            };
            let (address, accept) = client.ok_or("the client did not connect to the public address")?;
            let client = ClientId::WebSocket(address);
            admission.token.authorize(AuthorizationRequest { client, device_index, credential })?;
            accept.send(()).map_err(|()| "the client was too slow".to_owned())
        }
    }

    /// Accepts clients on `listener` without end, and connects them to Burn's server at `server`.
    pub(crate) async fn forward(self: Arc<Self>, listener: TcpListener, server: SocketAddr) {
        let permits = Arc::new(Semaphore::new(MAX_PENDING));
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            let Ok((client, address)) = listener.accept().await else {
                sleep(ACCEPT_DELAY).await;
                continue;
            };
            let admission = Arc::clone(&self);
            tokio::spawn(async move {
                // An error ends this connection, and concerns no other client.
                let Ok(server) = TcpStream::connect(server).await else { return };
                let Ok(own_address) = server.local_addr() else { return };
                let (accept, accepted) = oneshot::channel();
                admission.pending().insert(own_address, (address, accept));
                let _ = connect(client, server, accepted, permit).await;
                admission.pending().remove(&own_address);
            });
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forwards the handshake and the first message of a client, and everything else once `accepted` arrives. Returns when
/// the server has closed the connection.
///
/// # Errors
///
/// If the client exceeds a limit, violates the protocol or disconnects.
async fn connect(
    mut client: TcpStream,
    mut server: TcpStream,
    accepted: oneshot::Receiver<()>,
    permit: OwnedSemaphorePermit,
) -> io::Result<()> {
    let deadline = Instant::now() + MAX_ADMISSION_TIME;
    SockRef::from(&client).set_tcp_keepalive(&KEEPALIVE)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let mut from_client = BufReader::with_capacity(BUFFER, from_client);
    let mut from_server = BufReader::with_capacity(BUFFER, from_server);

    let opened = async {
        let (bytes, (_, request)) = read_parsed(&mut from_client, MAX_HEAD, Request::try_parse).await?;
        let has_body = [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| request.headers().contains_key(name));
        if request.uri().path() != SESSION_PATH || has_body {
            return Err(rejected());
        }
        to_server.write_all(&bytes).await?;
        let (bytes, (_, response)) = read_parsed(&mut from_server, MAX_HEAD, Response::try_parse).await?;
        to_client.write_all(&bytes).await?;
        // Otherwise the next bytes would be another request instead of a message.
        if response.status() == StatusCode::SWITCHING_PROTOCOLS { Ok(()) } else { Err(rejected()) }
    };
    timeout_at(deadline, opened).await??;

    let requests = async {
        let admitted = async {
            forward_message(&mut from_client, &mut to_server).await?;
            if accepted.await.is_err() {
                // The server refuses the token. Leave it the time to tell the client.
                future::pending::<()>().await;
            }
            io::Result::Ok(())
        };
        timeout_at(deadline, admitted).await??;
        drop(permit);
        copy_buf(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    let responses = async {
        copy_buf(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::select! {
        Err(error) = requests => Err(error),
        done = responses => done,
    }
}

/// Returns the error for a client that exceeds a limit or violates the protocol. It only ends the connection.
fn rejected() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Forwards a single WebSocket message.
///
/// # Errors
///
/// If the message is longer than [`MAX_FIRST_MESSAGE`], or the connection fails.
async fn forward_message(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let parse = |bytes: &[u8]| FrameHeader::parse(&mut Cursor::new(bytes));
    let (bytes, (_, length)) = read_parsed(from, MAX_FRAME_HEADER, parse).await?;
    if length > MAX_FIRST_MESSAGE {
        return Err(rejected());
    }
    to.write_all(&bytes).await?;
    copy(&mut from.take(length), to).await.map(drop)
}

/// Reads bytes until `parse` returns a value, at most `limit` bytes. Returns the bytes and the value.
async fn read_parsed<T>(
    from: &mut (impl AsyncRead + Unpin),
    limit: usize,
    parse: impl Fn(&[u8]) -> tungstenite::Result<Option<T>>,
) -> io::Result<(Vec<u8>, T)> {
    let mut bytes = Vec::new();
    while bytes.len() < limit {
        // One at a time, because the bytes that follow are not to be forwarded yet. The reader has a buffer.
        bytes.push(from.read_u8().await?);
        if let Some(value) = parse(&bytes).map_err(io::Error::other)? {
            return Ok((bytes, value));
        }
    }
    Err(rejected())
}

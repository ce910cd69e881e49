//! Where Envoy connects: a Unix socket that only its group may open, or TCP.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessorServer;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::ServeError;
use super::ext_proc::Processor;
use super::grpc::{AUTHORIZATION, Services};
use super::peer::Leaf;
use super::service::Service;
use super::tls::{self, OwnCertificate};
use super::workers::{Accepted, Place, Workers};
use crate::config::{FilePath, GrpcListener};
use crate::envoy::MAX_BODY_BYTES;

const SOCKET_MODE: u32 = 0o660;
const DIRECTORY_MODE: u32 = 0o750;

/// A request carries headers and a certificate beside its body.
const MAX_MESSAGE_BYTES: usize = MAX_BODY_BYTES as usize + 1024 * 1024;

/// What comes of an answer while its headers are looked at comes in one piece. Envoy keeps about two
/// megabytes of it waiting.
const MAX_PIECE_BYTES: usize = 16 * 1024 * 1024;

/// A listener that is open.
pub(super) enum Bound {
    Unix(UnixListener, PathBuf),
    Tcp(TcpListener),
}

/// Whether what a listener needs can be read.
pub(super) fn check(listener: &GrpcListener) -> Result<(), ServeError> {
    match listener {
        GrpcListener::Tcp { tls: Some(tls), .. } => tls::check(tls),
        GrpcListener::Tcp { tls: None, .. } | GrpcListener::Unix(_) => Ok(()),
    }
}

/// Opens the listener.
pub(super) async fn bind(listener: &GrpcListener) -> Result<Bound, ServeError> {
    match listener {
        GrpcListener::Unix(FilePath { path, .. }) => {
            let bound = bind_unix(path)
                .map_err(|error| listen_error(format!("unix:{}", path.display()), &error))?;
            tracing::info!(grpc = %path.display(), "listening for Envoy");
            Ok(Bound::Unix(bound, path.clone()))
        }
        GrpcListener::Tcp { address, .. } => {
            let bound = TcpListener::bind(address)
                .await
                .map_err(|error| listen_error(address.to_string(), &error))?;
            tracing::info!(grpc = %address, "listening for Envoy");
            Ok(Bound::Tcp(bound))
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    prepare_directory(path)?;
    remove_stale_socket(path)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
    Ok(listener)
}

/// The wait after a connection that could not be taken in, such as for want of file descriptors:
/// the next one would fail at once.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// All connections together. Envoy opens a few for each of its threads; files, keys and the log need
/// descriptors too.
const MAX_CONNECTIONS: usize = 512;

/// Serves until stopping begins and what is in flight has been answered. `ready` is what health
/// says.
pub(super) async fn serve(
    bound: Bound,
    own: Option<Arc<OwnCertificate>>,
    (service, processor): (Service, Processor),
    mut ready: watch::Receiver<bool>,
    stopping: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    // Before anybody can ask: a new reporter says that the whole is serving.
    report_once(&reporter, &mut ready).await;
    tokio::spawn(report(reporter, ready));
    let processor =
        ExternalProcessorServer::new(processor).max_decoding_message_size(MAX_PIECE_BYTES);
    let others = Routes::new(processor).add_service(health);
    let services = Services::new(service, MAX_MESSAGE_BYTES, others);
    let until = stopping.clone();
    let workers = Workers::start(move |connection, place| {
        connect(connection, place, own.clone(), services.clone(), until.clone())
    });
    let workers = workers.map_err(|error| ServeError::Workers(error.to_string()))?;
    take_in(bound, workers, stopping).await
}

/// Gives connections to those who answer them, until stopping begins, and waits for their end.
async fn take_in(
    bound: Bound,
    mut workers: Workers,
    stopping: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let outcome = loop {
        if places.available_permits() == 0 {
            tracing::warn!(MAX_CONNECTIONS, "no more connections are taken in");
        }
        let next = async {
            let permit = Arc::clone(&places).acquire_owned().await;
            (taken(bound.accept().await).await, permit)
        };
        tokio::select! {
            () = stopped(stopping.clone()) => break Ok(()),
            () = workers.any_ended() => {
                break Err(ServeError::Workers("one of them has ended".to_owned()));
            }
            (connection, permit) = next => {
                if let (Ok(connection), Ok(permit)) = (connection, permit) {
                    workers.give(connection, permit);
                }
            }
        }
    };
    // Whoever comes now is turned away at once, and not kept waiting for nobody. While we listen on
    // it the socket's file is ours; afterwards it may be that of a process that follows.
    if let Bound::Unix(_, path) = &bound {
        fs::remove_file(path).ok();
    }
    drop(bound);
    if outcome.is_ok() {
        workers.finish().await;
    }
    outcome
}

/// One connection, to its end.
async fn connect(
    connection: Accepted,
    place: Place,
    own: Option<Arc<OwnCertificate>>,
    services: Services,
    stopping: watch::Receiver<bool>,
) {
    let served = match (connection, own) {
        (Accepted::Unix(connection), _) => match UnixStream::from_std(connection) {
            Ok(connection) => services.answer(connection, Leaf::default(), stopped(stopping)).await,
            Err(error) => return not_taken(&error),
        },
        (Accepted::Tcp(connection), own) => {
            let connection = match TcpStream::from_std(connection) {
                Ok(connection) => connection,
                Err(error) => return not_taken(&error),
            };
            connection.set_nodelay(true).ok();
            match own {
                None => services.answer(connection, Leaf::default(), stopped(stopping)).await,
                Some(own) => Box::pin(tls::connect(connection, own, services, stopping)).await,
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of Envoy's has failed");
    }
    drop(place);
}

impl Bound {
    /// The next connection, free of this runtime.
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Unix(listener, _) => {
                let (connection, _) = listener.accept().await?;
                connection.into_std().map(Accepted::Unix)
            }
            Self::Tcp(listener) => {
                let (connection, _) = listener.accept().await?;
                connection.into_std().map(Accepted::Tcp)
            }
        }
    }
}

fn not_taken(error: &io::Error) {
    tracing::error!(%error, "a connection of Envoy's could not be taken in");
}

/// A connection as it was taken in, or, after a while, the reason why not.
async fn taken<C>(connection: io::Result<C>) -> io::Result<C> {
    if let Err(error) = &connection {
        tracing::error!(%error, "a connection of Envoy's could not be taken in");
        tokio::time::sleep(AFTER_FAILURE).await;
    }
    connection
}

/// Tells whoever asks by gRPC (grpc.health.v1), of the service and of the whole.
async fn report(reporter: HealthReporter, mut ready: watch::Receiver<bool>) {
    while ready.changed().await.is_ok() {
        report_once(&reporter, &mut ready).await;
    }
}

async fn report_once(reporter: &HealthReporter, ready: &mut watch::Receiver<bool>) {
    let status =
        if *ready.borrow_and_update() { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in [AUTHORIZATION, ""] {
        reporter.set_service_status(name, status).await;
    }
}

/// Resolves once stopping begins, or once nobody could begin it any more.
pub(super) async fn stopped(mut stopping: watch::Receiver<bool>) {
    stopping.wait_for(|stopping| *stopping).await.ok();
}

fn listen_error(address: String, error: &io::Error) -> ServeError {
    ServeError::Listen { address, reason: error.to_string() }
}

/// Makes the socket's directory. One that others may enter is not made safe behind their backs:
/// it may be somebody else's.
fn prepare_directory(path: &Path) -> io::Result<()> {
    let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Err(io::Error::other("the socket needs a directory of its own"));
    };
    if !directory.exists() {
        if let Some(parent) = directory.parent() {
            fs::create_dir_all(parent)?;
        }
        return DirBuilder::new().mode(DIRECTORY_MODE).create(directory);
    }
    let mode = fs::metadata(directory)?.permissions().mode();
    if mode.trailing_zeros() >= 3 {
        return Ok(());
    }
    let (directory, mode) = (directory.display(), mode & 0o777);
    Err(io::Error::other(format!(
        "everybody may enter {directory} (mode {mode:03o}); give the socket a directory of its own, or run `chmod 0750` on it"
    )))
}

/// A socket that nobody answers on is left over from a process that was killed.
fn remove_stale_socket(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::other("a file that is not a socket is in the way"));
    }
    if StdUnixStream::connect(path).is_ok() {
        return Err(io::Error::other("another process serves there"));
    }
    fs::remove_file(path)
}

//! Our own certificate from files, which are followed.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::own::{Material, OwnCertificate, Roots};
use crate::config::{GrpcTls, TlsFiles, TlsSource};
use crate::server::{ServeError, now};

/// How often they are looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// What the files say: certificate, key and roots, PEM.
type Read = [Vec<u8>; 3];

/// Whether what a listener needs can be read.
pub(in crate::server) fn check(tls: &GrpcTls) -> Result<(), ServeError> {
    match &tls.source {
        TlsSource::Files(files) => load(files, &OwnCertificate::new(tls)).map(drop),
        TlsSource::Spire => Ok(()),
    }
}

/// Loads the files, and keeps up with them for ever. While they are no good, what was good counts.
pub(in crate::server) fn follow(
    files: &TlsFiles,
    own: &Arc<OwnCertificate>,
) -> Result<(), ServeError> {
    let mut known = load(files, own)?;
    let (files, own) = (files.clone(), Arc::clone(own));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let (from, was) = (files.clone(), known.clone());
            let read = tokio::task::spawn_blocking(move || read(&from)).await;
            let outcome = match read {
                Ok(Ok(read)) if read == was => Ok(None),
                Ok(Ok(read)) => take(&files, &read, &own).map(|()| Some(read)),
                Ok(Err(error)) => Err(error),
                Err(_) => continue,
            };
            match outcome {
                Ok(None) => own.confirm(),
                Ok(Some(read)) => known = read,
                Err(error) => {
                    let problem = error.to_string();
                    if own.fail(&problem) {
                        tracing::error!(problem, "the own certificate cannot be renewed");
                    }
                }
            }
        }
    });
    Ok(())
}

fn load(files: &TlsFiles, own: &OwnCertificate) -> Result<Read, ServeError> {
    let read = read(files)?;
    take(files, &read, own)?;
    Ok(read)
}

fn read(files: &TlsFiles) -> Result<Read, ServeError> {
    let TlsFiles { certificate, key, ca } = files;
    let read = |path: &Path| fs::read(path).map_err(|error| bad(path, &error.to_string()));
    Ok([read(certificate)?, read(key)?, read(ca)?])
}

fn take(files: &TlsFiles, read: &Read, own: &OwnCertificate) -> Result<(), ServeError> {
    let [certificate, key, ca] = read;
    let material = Material {
        chain: certificates(&files.certificate, certificate)?,
        key: PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| bad(&files.key, &error.to_string()))?,
        roots: Roots::Any(certificates(&files.ca, ca)?),
    };
    own.accept(material, now()).map_err(|problem| bad(&files.certificate, &problem))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(list) if list.is_empty() => Err(bad(path, "there is no certificate in it")),
        Ok(list) => Ok(list),
        Err(error) => Err(bad(path, &error.to_string())),
    }
}

fn bad(path: &Path, reason: &str) -> ServeError {
    ServeError::Tls { path: path.display().to_string(), reason: reason.to_owned() }
}

//! The certificate that the endpoints show, and its key.
//!
//! Files are read again at intervals. A mounted Secret changes when the kubelet swaps a symbolic
//! link, which no watch of the files themselves would tell, so what they say is compared. Two files
//! never change at once: a pair that cannot be used, such as a new certificate with the key of the
//! old one, changes nothing, and the last good pair is shown until there is another. Connections
//! that are open keep what they have.

use std::{
    fmt, fs, io,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use thiserror::Error;
use tokio::time::sleep;
use tokio_rustls::rustls::{
    self,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
        pem::{self, PemObject},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{apply::client::fence::WallClock, model::Time};

use super::{
    expiry::not_after,
    self_signed::{SelfSigned, VALIDITY},
};

/// How often the files are read.
pub const REREAD_EVERY: Duration = Duration::from_secs(10);

/// How long after a change the files are read again before it counts: one of them may be being
/// written, and the other be about to be.
const SETTLE: Duration = Duration::from_secs(1);

/// The most bytes of a file. A Secret cannot hold more.
const MAX_BYTES: u64 = 1 << 20;

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// PEM files.
    Files {
        /// The certificate, and after it those that lead to its authority.
        certificate: PathBuf,
        /// The key of the first certificate.
        key: PathBuf,
    },
    /// The process makes it, for this host name.
    SelfSigned {
        /// The host name, which is the pod's name in a cluster.
        host: String,
    },
}

/// Why a certificate cannot be shown. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{} cannot be read: {why}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The operating system's error.
        why: String,
    },
    /// The file of the certificate has none.
    #[error(
        "{} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)",
        file.display()
    )]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// The file of the key has none.
    #[error(
        "{} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)",
        file.display()
    )]
    NoKey {
        /// The file.
        file: PathBuf,
    },
    /// The key has a passphrase, which nobody could type.
    #[error(
        "the key in {} is encrypted; decrypt it (openssl pkey -in FILE -out FILE), and keep the \
         file from others",
        file.display()
    )]
    Encrypted {
        /// The file.
        file: PathBuf,
    },
    /// A file is no PEM.
    #[error("{} is no PEM file: {why}", file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// The parser's error.
        why: String,
    },
    /// Certificate and key are not of one another.
    #[error(
        "the key in {} is not the key of the first certificate in {}",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// Each can be read, and they cannot be used.
    #[error("the certificate in {} and the key in {} cannot be used: {why}", certificate.display(), key.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// The TLS library's error.
        why: String,
    },
}

/// What is shown, and whether it is what the files say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Until when the certificate is valid, where that can be read.
    pub not_after: Option<Time>,
    /// False while the files cannot be used, and the certificate from before is shown.
    pub current: bool,
}

/// The certificate, which may change at any time.
pub struct Certificate {
    source: Source,
    /// The addresses of a certificate of our own.
    address: IpAddr,
    clock: WallClock,
    pair: RwLock<Arc<CertifiedKey>>,
    shown: RwLock<Shown>,
    /// What the files said when they were last looked at.
    texts: RwLock<Option<Texts>>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is nobody's business.
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(get(&self.pair))
    }
}

/// What the two files hold, or why they cannot be read.
#[derive(Clone, PartialEq, Eq)]
struct Texts {
    certificate: Result<Vec<u8>, String>,
    key: Result<Vec<u8>, String>,
}

impl Certificate {
    /// Reads the files, or makes a certificate for the host and this address. Fails where there is
    /// nothing to show.
    pub fn load(
        source: Source,
        address: IpAddr,
        clock: WallClock,
    ) -> Result<Certificate, CertificateError> {
        let (pair, texts) = match &source {
            Source::SelfSigned { host } => (made(host, address, clock()), None),
            Source::Files { certificate, key } => {
                let texts = Texts::read(certificate, key);
                (texts.pair(certificate, key)?, Some(texts))
            }
        };
        let shown = Shown {
            not_after: end_of(&pair),
            current: true,
        };
        let certificate = Certificate {
            source,
            address,
            clock,
            pair: RwLock::new(Arc::new(pair)),
            shown: RwLock::new(shown),
            texts: RwLock::new(texts),
        };
        certificate.warn_if_over();
        Ok(certificate)
    }

    /// What is shown now.
    pub fn shown(&self) -> Shown {
        get(&self.shown)
    }

    /// Whether the certificate is made by this process.
    pub fn is_self_signed(&self) -> bool {
        matches!(self.source, Source::SelfSigned { .. })
    }

    /// The line of `/readyz`. It names no file: anybody may read it.
    pub fn check(&self) -> Result<String, String> {
        let shown = self.shown();
        let Some(end) = shown.not_after else {
            return Ok(String::new());
        };
        let until = end.whole_seconds();
        if end <= (self.clock)() {
            Err(format!("the certificate was valid until {until}"))
        } else if !shown.current {
            Err(format!(
                "the files of the certificate cannot be used, and the one from before is shown; it \
                 is valid until {until}"
            ))
        } else {
            Ok(format!("valid until {until}"))
        }
    }

    /// Keeps it up to date for ever. `changed` is told when something else is shown, or the files
    /// can no longer be used, or can be again.
    pub async fn follow(&self, changed: impl Fn(Shown)) {
        loop {
            sleep(REREAD_EVERY).await;
            let before = self.shown();
            match &self.source {
                Source::SelfSigned { host } => self.renew(host),
                Source::Files { certificate, key } => self.reread(certificate, key).await,
            }
            let now = self.shown();
            if now != before {
                changed(now);
            }
        }
    }

    /// Makes another certificate in time.
    fn renew(&self, host: &str) {
        let now = (self.clock)();
        if self.shown().not_after <= Some(now + VALIDITY / 10) {
            self.show(made(host, self.address, now));
            tracing::info!("the self-signed certificate was made anew, because it would expire");
        }
    }

    async fn reread(&self, certificate: &Path, key: &Path) {
        let texts = Texts::read(certificate, key);
        // Files that stay as they are, or as unreadable as they are, are told of once.
        if Some(&texts) == get(&self.texts).as_ref() {
            return;
        }
        sleep(SETTLE).await;
        if Texts::read(certificate, key) != texts {
            return;
        }
        match texts.pair(certificate, key) {
            Ok(pair) => {
                self.show(pair);
                let until = self.shown().not_after.map(|at| at.to_string());
                let until = until.unwrap_or_default();
                tracing::info!(until, "the certificate of the endpoints was reread");
                self.warn_if_over();
            }
            Err(why) => {
                set(
                    &self.shown,
                    Shown {
                        current: false,
                        ..self.shown()
                    },
                );
                tracing::warn!(
                    "the certificate of the endpoints cannot be reread, and the one from before \
                     is shown: {why}"
                );
            }
        }
        set(&self.texts, Some(texts));
    }

    fn show(&self, pair: CertifiedKey) {
        let shown = Shown {
            not_after: end_of(&pair),
            current: true,
        };
        set(&self.pair, Arc::new(pair));
        set(&self.shown, shown);
    }

    /// A certificate that is over is shown nevertheless, because clients may not look at it, and
    /// probes do not.
    fn warn_if_over(&self) {
        if let Some(end) = self.shown().not_after.filter(|end| *end <= (self.clock)()) {
            tracing::warn!("the certificate of the endpoints was valid until {end}");
        }
    }
}

fn get<T: Clone>(lock: &RwLock<T>) -> T {
    lock.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn set<T>(lock: &RwLock<T>, value: T) {
    *lock.write().unwrap_or_else(PoisonError::into_inner) = value;
}

fn end_of(pair: &CertifiedKey) -> Option<Time> {
    not_after(pair.cert.first()?)
}

/// A certificate of our own, for this host and this machine.
fn made(host: &str, address: IpAddr, now: Time) -> CertifiedKey {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let host = Some(host).filter(|host| !host.is_empty() && host.chars().all(is_name));
    let names = host.into_iter().chain(["localhost"]).map(str::to_owned);
    let mut addresses = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    if !address.is_unspecified() && !addresses.contains(&address) {
        addresses.push(address);
    }
    let made = SelfSigned::new(&names.collect::<Vec<_>>(), &addresses, now);
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.key));
    let chain = vec![CertificateDer::from(made.certificate)];
    CertifiedKey::from_der(chain, key, &ring::default_provider())
        .expect("a certificate that was just made has a key that is its own")
}

impl Texts {
    fn read(certificate: &Path, key: &Path) -> Texts {
        Texts {
            certificate: bytes(certificate),
            key: bytes(key),
        }
    }

    /// The chain and the key, where they are of one another.
    fn pair(&self, certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
        let chain = chain(&self.certificate, certificate)?;
        let secret = secret(&self.key, key)?;
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        CertifiedKey::from_der(chain, secret, &ring::default_provider()).map_err(|why| match why {
            rustls::Error::InconsistentKeys(_) => CertificateError::Mismatch { certificate, key },
            why => CertificateError::Unusable {
                certificate,
                key,
                why: why.to_string(),
            },
        })
    }
}

fn chain(
    text: &Result<Vec<u8>, String>,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let file = file.to_owned();
    let text = readable(text, &file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(CertificateError::NoCertificate { file }),
        Ok(chain) => Ok(chain),
        Err(why) => Err(broken(&why, file)),
    }
}

fn secret(
    text: &Result<Vec<u8>, String>,
    file: &Path,
) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let file = file.to_owned();
    let text = readable(text, &file)?;
    // Both forms say so in a line of their own, and are no keys to the parser, or broken ones.
    let line = |line: &[u8]| {
        line.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
            || line.starts_with(b"Proc-Type: 4,ENCRYPTED")
    };
    if text.split(|byte| *byte == b'\n').any(line) {
        return Err(CertificateError::Encrypted { file });
    }
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(CertificateError::NoKey { file }),
        Err(why) => Err(broken(&why, file)),
    }
}

fn readable<'a>(
    text: &'a Result<Vec<u8>, String>,
    file: &Path,
) -> Result<&'a [u8], CertificateError> {
    text.as_deref().map_err(|why| CertificateError::Unreadable {
        file: file.to_owned(),
        why: why.clone(),
    })
}

/// The parser's errors quote lines of the file as lists of numbers. A key must not be quoted.
fn broken(why: &pem::Error, file: PathBuf) -> CertificateError {
    let why = match why {
        pem::Error::MissingSectionEnd { .. } => "a section has no end",
        pem::Error::IllegalSectionStart { .. } => "a section does not begin as one",
        pem::Error::Base64Decode(_) => "a section is no base64",
        _ => "it cannot be parsed",
    };
    CertificateError::Broken {
        file,
        why: why.to_owned(),
    }
}

fn bytes(file: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        let about = fs::metadata(file)?;
        // Whoever writes into a pipe may never come.
        if !about.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        if about.len() > MAX_BYTES {
            return Err(io::Error::other("it has more than a MiB"));
        }
        fs::read(file)
    };
    read().map_err(|why| why.to_string())
}

//! Mutual TLS with the one process that started this one.
//!
//! Terraform hands over the certificate that it will show; whoever shows another
//! one, or none, is refused. Its certificate is a self-signed authority on the
//! P-521 curve, which ordinary verification rejects and not every crypto library
//! can read, so it is compared byte for byte and its signatures are checked by
//! aws-lc.

use std::sync::Arc;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use tokio_rustls::TlsAcceptor;

/// Accepts exactly one certificate.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    crypto: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Pinned {
    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if *end_entity == self.certificate {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}

/// A fresh certificate of this process, for one client.
#[derive(Debug)]
pub(super) struct Identity {
    certificate: CertificateDer<'static>,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// A new identity that talks only to the owner of this PEM certificate.
    ///
    /// # Errors
    /// What is wrong, for a person: the PEM holds no certificate or more than
    /// one, or no key could be made.
    pub(super) fn facing(client: &str) -> Result<Self, String> {
        let crypto = Arc::new(aws_lc_rs::default_provider());
        let pinned = Pinned { certificate: only_certificate(client)?, crypto: crypto.clone() };
        let (certificate, key) = self_signed().map_err(|error| error.to_string())?;
        let mut config = ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_client_cert_verifier(Arc::new(pinned))
            .with_single_cert(vec![certificate.clone()], key)
            .map_err(|error| error.to_string())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { certificate, config: Arc::new(config) })
    }

    /// The certificate in DER, for the first line.
    pub(super) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// What turns a socket connection into a verified one.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

/// The one certificate in this PEM text.
fn only_certificate(pem: &str) -> Result<CertificateDer<'static>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match certificates.map_err(|error| format!("`PLUGIN_CLIENT_CERT`: {error}"))?.as_slice() {
        [only] => Ok(only.clone()),
        others => Err(format!("`PLUGIN_CLIENT_CERT` holds {} certificates, not 1", others.len())),
    }
}

/// A new key, and a certificate for it that signs itself. The client checks it
/// against the copy in the first line, under the name `localhost`.
fn self_signed() -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((certificate.der().clone(), key.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate in PEM.
    fn pem() -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn one_certificate_is_pinned_and_no_other() {
        let (ours, theirs) = (pem(), pem());
        let pinned = Pinned {
            certificate: only_certificate(&ours).unwrap(),
            crypto: Arc::new(aws_lc_rs::default_provider()),
        };
        let verify = |pem: &str| {
            pinned.verify_client_cert(&only_certificate(pem).unwrap(), &[], UnixTime::now())
        };
        assert!(verify(&ours).is_ok());
        assert!(verify(&theirs).is_err());
        assert!(pinned.client_auth_mandatory());
    }

    #[test]
    fn none_or_two_certificates_are_refused() {
        let two = format!("{}{}", pem(), pem());
        for text in ["", "not a certificate", &two] {
            assert!(Identity::facing(text).is_err());
        }
        assert!(Identity::facing(&pem()).is_ok());
    }
}

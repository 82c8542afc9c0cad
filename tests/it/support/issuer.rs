//! Somebody else who signs tokens, as CI systems do: metadata, keys, and ways to misbehave.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What it answers.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// As it should.
    Honest,
    /// With this status, to everything.
    Failing(u16),
    /// With a redirect to this address.
    Redirecting(String),
    /// With more than anybody wants.
    Flooding,
    /// With the beginning of a body, and then nothing.
    Stalling,
    /// With metadata of this issuer.
    Posing(String),
    /// With metadata that says the keys are there.
    Pointing(String),
    /// With this text in place of keys.
    Babbling(&'static str),
}

struct Inside {
    manner: Manner,
    keys: Vec<(String, Key)>,
}

/// What it signs with.
enum Key {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl Key {
    fn es256() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        Self::Es256(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap())
    }

    fn rs256() -> Self {
        Self::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::Rs256(_) => "RS256",
        }
    }

    fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Es256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Self::Rs256(key) => {
                let key = key.public_key();
                let n = key.modulus().big_endian_without_leading_zero().to_vec();
                let e = key.exponent().big_endian_without_leading_zero().to_vec();
                json!({"kty": "RSA", "n": encode(n), "e": encode(e)})
            }
        };
        (jwk["alg"], jwk["use"], jwk["kid"]) = (json!(self.algorithm()), json!("sig"), json!(kid));
        jwk
    }

    fn sign(&self, input: &[u8]) -> Vec<u8> {
        let chance = SystemRandom::new();
        match self {
            Self::Es256(key) => key.sign(&chance, input).unwrap().as_ref().to_vec(),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &chance, input, &mut signature).unwrap();
                signature
            }
        }
    }
}

/// An issuer on loopback.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    inside: Arc<Mutex<Inside>>,
    asked: Arc<AtomicUsize>,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Issuer {
    /// Over http.
    pub(crate) async fn start() -> Self {
        Self::serving(None, Key::es256()).await
    }

    /// Over http, signing as GitHub does.
    pub(crate) async fn start_rs256() -> Self {
        Self::serving(None, Key::rs256()).await
    }

    /// Over https, with this certificate for `localhost`.
    pub(crate) async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::serving(Some(acceptor), Key::es256()).await
    }

    async fn serving(tls: Option<TlsAcceptor>, key: Key) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match tls {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let keys = vec![("first".to_owned(), key)];
        let inside = Arc::new(Mutex::new(Inside { manner: Manner::Honest, keys }));
        let issuer = Self { url, inside, asked: Arc::default() };
        let serving = issuer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (issuer, tls) = (serving.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => issuer.answer(stream).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => issuer.answer(stream).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        issuer
    }

    /// From now on it answers so.
    pub(crate) fn behave(&self, manner: Manner) {
        self.inside.lock().unwrap().manner = manner;
    }

    /// From now on it signs with a key of this id and publishes no other.
    pub(crate) fn rotate(&self, kid: &str) {
        self.inside.lock().unwrap().keys = vec![(kid.to_owned(), Key::es256())];
    }

    /// How often anything was asked of it.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Its public keys.
    pub(crate) fn jwks(&self) -> Value {
        let inside = self.inside.lock().unwrap();
        json!({"keys": inside.keys.iter().map(|(kid, key)| key.jwk(kid)).collect::<Vec<_>>()})
    }

    /// A token of these claims.
    pub(crate) fn sign(&self, header: Value, claims: &Value) -> String {
        let inside = self.inside.lock().unwrap();
        let (kid, key) = inside.keys.last().unwrap();
        let mut whole = json!({"alg": key.algorithm(), "typ": "JWT", "kid": kid});
        let members = header.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(members);
        let input = format!("{}.{}", encode(whole.to_string()), encode(claims.to_string()));
        format!("{input}.{}", encode(key.sign(input.as_bytes())))
    }

    async fn answer(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let head = String::from_utf8(head).ok()?;
        let is_metadata = head.starts_with("GET /.well-known/openid-configuration ");
        let manner = self.inside.lock().unwrap().manner.clone();
        let (mut issuer, mut keys_at) = (self.url.clone(), format!("{}/keys", self.url));
        let mut body = self.jwks().to_string();
        let (mut status, mut more) = (200, String::new());
        match manner {
            Manner::Honest => {}
            Manner::Failing(other) => status = other,
            Manner::Redirecting(to) => (status, more) = (302, format!("location: {to}\r\n")),
            Manner::Flooding => body = format!("{}{body}", " ".repeat(1 << 20)),
            Manner::Stalling => more = "content-length: 1000\r\n".to_owned(),
            Manner::Posing(as_this) => issuer = as_this,
            Manner::Pointing(there) => keys_at = there,
            Manner::Babbling(text) => body = text.to_owned(),
        }
        if is_metadata {
            body = json!({"issuer": issuer, "jwks_uri": keys_at}).to_string();
        }
        let stalls = more.starts_with("content-length");
        let size =
            if stalls { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{size}{more}\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(body.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        if stalls {
            std::future::pending::<()>().await;
        }
        stream.shutdown().await.ok()
    }
}

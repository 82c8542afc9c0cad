//! Sealing: what must not lie readable on disk is encrypted before it goes there.
//!
//! AES-256-GCM (NIST SP 800-38D) with a fresh random nonce of 96 bits each time. What it is for is
//! authenticated with it, so that what was sealed for one purpose never opens for another. In front
//! of it stands which key sealed it, so that a wrong key can be told from damage.

mod source;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, MAX_TAG_LEN, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

pub use source::{SealingSource, SourceError};

/// What stands in front of everything sealed: the form, and which key.
const HEAD: usize = 1 + NAME;
/// The bytes of a key's name.
const NAME: usize = 8;
/// The only form there is.
const FORM: u8 = 1;

/// Encrypts what must not lie readable on disk. Cheap to clone; clones share the keys.
#[derive(Clone)]
pub struct Sealer(Arc<Keys>);

struct Keys {
    /// None where the system gave no randomness to make one.
    seals: Option<Key>,
    /// Those that only open.
    opens: Vec<Key>,
}

struct Key {
    name: KeyName,
    cipher: RandomizedNonceKey,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("key", &self.name()).finish_non_exhaustive()
    }
}

/// Why something was not sealed or not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Another key sealed it.
    #[error("it was sealed with the sealing key {needed}, which is not the one that is here")]
    OtherKey {
        /// Which is needed.
        needed: KeyName,
    },
    /// It is not what was sealed, or was sealed for another purpose.
    #[error("what was sealed is damaged, or was sealed for something else")]
    Damaged,
    /// The system gave no randomness.
    #[error("the system gives no randomness")]
    NoRandomness,
}

/// By what people tell sealing keys apart: a digest of the key, which says nothing about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyName([u8; NAME]);

impl KeyName {
    fn of(key: &[u8]) -> Self {
        let labelled = Zeroizing::new([b"assent/sealing-key/v1\0".as_slice(), key].concat());
        let mut name = [0; NAME];
        let digest = digest(&SHA256, &labelled);
        name.iter_mut().zip(digest.as_ref()).for_each(|(byte, of)| *byte = *of);
        Self(name)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyName({self})")
    }
}

/// A sealing key as it is written: 32 bytes, base64.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.name())
    }
}

/// The text is no sealing key. It is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealing key is 32 bytes in base64, as `openssl rand -base64 32` makes it")]
pub struct NotASealingKey;

impl FromStr for SealingKey {
    type Err = NotASealingKey;

    /// Either alphabet of RFC 4648, with or without padding.
    fn from_str(text: &str) -> Result<Self, NotASealingKey> {
        let text = text.trim_ascii();
        let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
        let lenient =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let mut key = Zeroizing::new([0; 32]);
        let decoded = GeneralPurpose::new(alphabet, lenient).decode_slice(text, &mut *key);
        (decoded == Ok(32)).then_some(Self(key)).ok_or(NotASealingKey)
    }
}

impl SealingKey {
    /// A new one.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn fresh() -> Result<Self, SealError> {
        let mut key = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(&mut *key).map_err(|_| SealError::NoRandomness)?;
        Ok(Self(key))
    }

    /// By what people tell it apart.
    pub fn name(&self) -> KeyName {
        KeyName::of(&*self.0)
    }

    /// As it is written to a file.
    fn written(&self) -> Zeroizing<String> {
        let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        Zeroizing::new(format!("{}\n", *Zeroizing::new(url_safe.encode(self.0.as_slice()))))
    }

    fn key(&self) -> Result<Key, SealError> {
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &*self.0);
        Ok(Key { name: self.name(), cipher: cipher.map_err(|_| SealError::NoRandomness)? })
    }
}

impl Default for Sealer {
    /// With a key that nobody keeps: what it seals opens only as long as it lives.
    fn default() -> Self {
        let seals = SealingKey::fresh().and_then(|key| key.key()).ok();
        Self(Arc::new(Keys { seals, opens: Vec::new() }))
    }
}

impl Sealer {
    /// Seals with this key, and opens also what the earlier ones sealed.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn new(key: &SealingKey, earlier: &[SealingKey]) -> Result<Self, SealError> {
        let opens = earlier.iter().map(SealingKey::key).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Keys { seals: Some(key.key()?), opens })))
    }

    /// Which key seals.
    pub fn name(&self) -> Option<KeyName> {
        self.0.seals.as_ref().map(|key| key.name)
    }

    /// Seals for this purpose. The same bytes sealed again look different.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn seal(&self, purpose: &str, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.0.seals.as_ref().ok_or(SealError::NoRandomness)?;
        // Grown once: growing again would leave what is to be hidden behind in freed memory.
        let mut inside = Vec::with_capacity(bytes.len() + MAX_TAG_LEN);
        inside.extend_from_slice(bytes);
        let nonce = key.cipher.seal_in_place_append_tag(aad(key.name, purpose), &mut inside);
        let nonce = nonce.map_err(|_| SealError::NoRandomness)?;
        Ok([&[FORM], key.name.0.as_slice(), nonce.as_ref(), &inside].concat())
    }

    /// Opens what was sealed for this purpose.
    ///
    /// # Errors
    /// [`SealError::OtherKey`]; [`SealError::Damaged`].
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let needed = Self::sealed_with(sealed).ok_or(SealError::Damaged)?;
        let mut keys = self.0.seals.iter().chain(&self.0.opens);
        let key = keys.find(|key| key.name == needed).ok_or(SealError::OtherKey { needed })?;
        let rest = sealed.get(HEAD..).unwrap_or_default();
        let (nonce, inside) = rest.split_at_checked(NONCE_LEN).ok_or(SealError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Damaged)?;
        let mut inside = Zeroizing::new(inside.to_vec());
        let opened = key.cipher.open_in_place(nonce, aad(needed, purpose), &mut inside);
        let length = opened.map_err(|_| SealError::Damaged)?.len();
        inside.truncate(length);
        Ok(inside)
    }

    /// Which key sealed this, as far as it says so.
    pub fn sealed_with(sealed: &[u8]) -> Option<KeyName> {
        let (form, rest) = sealed.split_first()?;
        let name = rest.first_chunk::<NAME>()?;
        (*form == FORM).then_some(KeyName(*name))
    }
}

/// All that stands in front is authenticated, too.
fn aad(name: KeyName, purpose: &str) -> Aad<Vec<u8>> {
    Aad::from([b"assent/sealed/v1\0".as_slice(), &name.0, purpose.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"canary: a private key";

    fn sealer() -> Sealer {
        Sealer::new(&SealingKey::fresh().unwrap(), &[]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let sealer = sealer();
        let sealed = sealer.seal("signing-key/a", SECRET).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"canary"));
        assert_eq!(sealer.open("signing-key/a", &sealed).unwrap().as_slice(), SECRET);
        assert_eq!(sealer.clone().open("signing-key/b", &sealed), Err(SealError::Damaged));
        assert_eq!(sealer.open("", &sealed), Err(SealError::Damaged));
        assert_eq!(sealer.open("x", &sealer.seal("x", b"").unwrap()).unwrap().as_slice(), b"");
    }

    #[test]
    fn nothing_looks_the_same_twice() {
        let sealer = sealer();
        let all: Vec<_> = (0..1000).map(|_| sealer.seal("x", SECRET).unwrap()).collect();
        let nonces: std::collections::BTreeSet<_> =
            all.iter().map(|sealed| sealed[HEAD..HEAD + NONCE_LEN].to_vec()).collect();
        assert_eq!(nonces.len(), all.len());
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let sealer = sealer();
        let sealed = sealer.seal("x", SECRET).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealer.open("x", &changed).is_err(), "changed at {at}");
        }
        for end in 0..sealed.len() {
            assert!(sealer.open("x", &sealed[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn another_key_is_told_by_its_name() {
        let (key, other) = (SealingKey::fresh().unwrap(), SealingKey::fresh().unwrap());
        let sealed = Sealer::new(&key, &[]).unwrap().seal("x", SECRET).unwrap();
        let needed = key.name();
        let refused = Sealer::new(&other, &[]).unwrap().open("x", &sealed);
        assert_eq!(refused, Err(SealError::OtherKey { needed }));
        assert!(refused.unwrap_err().to_string().contains(&needed.to_string()));
        let both = Sealer::new(&other, std::slice::from_ref(&key)).unwrap();
        assert_eq!(both.open("x", &sealed).unwrap().as_slice(), SECRET);
        let anew = both.seal("x", SECRET).unwrap();
        assert_eq!(Sealer::sealed_with(&anew), Some(other.name()));
    }

    #[test]
    fn a_key_is_read_from_base64_of_either_kind() {
        let bytes = [0xfb_u8; 32];
        let standard = base64::engine::general_purpose::STANDARD.encode(bytes);
        let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        assert!(standard.contains('+') && standard.ends_with('=') && url.contains('-'));
        let names = [standard.clone(), format!("{standard}\n"), url]
            .map(|text| text.parse::<SealingKey>().unwrap().name());
        assert!(names.iter().all(|name| *name == names[0]));
        let short = base64::engine::general_purpose::STANDARD.encode([1; 31]);
        let long = base64::engine::general_purpose::STANDARD.encode([1; 33]);
        for wrong in ["", "hunter2", &short, &long, &"a".repeat(32), &"=".repeat(43)] {
            let refused = wrong.parse::<SealingKey>().unwrap_err();
            assert!(wrong.is_empty() || !refused.to_string().contains(wrong));
        }
    }

    #[test]
    fn no_key_shows_itself() {
        let key = SealingKey::fresh().unwrap();
        let written = key.written();
        let shown = format!("{key:?} {:?}", Sealer::new(&key, &[]).unwrap());
        assert!(!shown.contains(written.trim_end()));
        assert_eq!(written.parse::<SealingKey>().unwrap().name(), key.name());
    }
}

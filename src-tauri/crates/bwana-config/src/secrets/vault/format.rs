//! The bytes of a vault. All numbers are little-endian.
//!
//! | from | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | `BWANAVLT` |
//! | 8 | 2 | version, 1 |
//! | 10 | 4 × 3 | Argon2id: KiB of memory, passes, lanes |
//! | 22 | 16 | salt |
//! | 38 | 24 + 16 | nonce and tag of an empty message over what is before: it tells a wrong passphrase from damage |
//! | 78 | 24 | nonce of the body |
//! | 102 | 4 | length of the body |
//! | 106 | … | body: XChaCha20-Poly1305 over the entries, with everything before as associated data |
//! | end | 32 | BLAKE3 of everything before: it tells damage before anybody types a passphrase |
//!
//! The entries: their number, and for each the length of its name (2 bytes), the name, the length of its value
//! (4 bytes) and the value, in the order of the names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use argon2::{Algorithm, Argon2, Params, Version};
use bwana_types::secret::{SECRET_MAX_BYTES, Secret, SecretError};
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::plain_buffer;

const MAGIC: &[u8; 8] = b"BWANAVLT";
const VERSION: u16 = 1;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
const SUM_BYTES: usize = 32;

const COST_AT: usize = 10;
const SALT_AT: usize = 22;
const CHECK_AT: usize = SALT_AT + SALT_BYTES;
const CHECK_TAG_AT: usize = CHECK_AT + NONCE_BYTES;
const NONCE_AT: usize = CHECK_TAG_AT + TAG_BYTES;
const LENGTH_AT: usize = NONCE_AT + NONCE_BYTES;
const BODY_AT: usize = LENGTH_AT + 4;

/// Hundreds of secrets of the usual size; a larger file is no vault of ours.
pub(super) const VAULT_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Secrets one vault holds.
const ENTRIES_MAX: usize = 512;

/// What the next guess of a passphrase costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// The option RFC 9106 recommends where memory is scarce; also the least a file may ask for, so that nobody can
    /// put a weaker one in place before the passphrase is typed.
    const STANDARD: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 4,
    };
    /// The most a file may ask for: a hostile one must not take the machine.
    const MAX: Self = Self {
        memory_kib: 512 * 1024,
        passes: 16,
        lanes: 16,
    };

    fn is_allowed(self) -> bool {
        let (least, most) = (Self::STANDARD, Self::MAX);
        (least.memory_kib..=most.memory_kib).contains(&self.memory_kib)
            && (least.passes..=most.passes).contains(&self.passes)
            && (1..=most.lanes).contains(&self.lanes)
    }
}

/// What can be wrong with a vault. None of these ever changes the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("there is no vault yet")]
    Absent,
    #[error("there is a vault already")]
    Exists,
    #[error("the vault is locked")]
    Locked,
    #[error("the passphrase of the vault is wrong")]
    WrongPassphrase,
    #[error("the passphrase of the vault was changed by another program")]
    PassphraseChanged,
    #[error(
        "the passphrase is shorter than {} characters",
        super::PASSPHRASE_MIN_CHARS
    )]
    PassphraseTooShort,
    #[error("the passphrase is longer than {} bytes", super::PASSPHRASE_MAX_BYTES)]
    PassphraseTooLong,
    #[error("the file of the vault is something else")]
    NoVault,
    #[error("the vault was written by a newer version of the program (format {version})")]
    Newer { version: u16 },
    #[error("the vault is in an older format ({version}) that this program does not read")]
    Older { version: u16 },
    #[error("the vault is cut off: {have} bytes of {expected}")]
    Truncated { have: usize, expected: usize },
    #[error("the vault is damaged")]
    Damaged,
    #[error("the vault is larger than {VAULT_MAX_BYTES} bytes")]
    TooLarge,
    #[error("the vault asks for more or less work to open it than this program accepts")]
    CostNotAllowed,
    #[error("the vault is full: {ENTRIES_MAX} secrets, {VAULT_MAX_BYTES} bytes")]
    Full,
    #[error("the secret is longer than {SECRET_MAX_BYTES} bytes")]
    SecretTooLong,
    #[error("another program is writing the vault and does not finish")]
    Busy,
    #[error("there is not enough memory to open the vault")]
    NoMemory,
    #[error("the system gives no random numbers")]
    NoRandom,
    #[error("{} cannot be {doing}: {why}", file.display())]
    Io {
        file: PathBuf,
        doing: &'static str,
        why: String,
    },
}

impl From<VaultError> for SecretError {
    fn from(error: VaultError) -> Self {
        const KEPT: &str = "Nothing was changed. Copy secrets.vault away, then put back a copy of yours or create a new \
                            vault and give the secrets again.";
        let what = error.to_string();
        match error {
            VaultError::Absent => {
                Self::unavailable(what, "Create the vault with a passphrase first.")
            }
            VaultError::Locked => Self::locked(what, "Unlock it with its passphrase."),
            VaultError::WrongPassphrase => Self::locked(what, "Try again; nothing is lost."),
            VaultError::PassphraseChanged => {
                Self::locked(what, "Unlock it with the new passphrase.")
            }
            VaultError::Exists => {
                Self::failed(what, "Unlock it, or move secrets.vault away first.")
            }
            VaultError::PassphraseTooShort | VaultError::PassphraseTooLong => Self::failed(
                what,
                "Four or five words at random are good and easy to type.",
            ),
            VaultError::Newer { .. } => Self::failed(what, "Update the program."),
            VaultError::Older { .. } => Self::failed(
                what,
                "Nothing was changed. Open it with the version that wrote it, or copy secrets.vault away, create a new \
                 vault and give the secrets again.",
            ),
            VaultError::NoVault
            | VaultError::Truncated { .. }
            | VaultError::Damaged
            | VaultError::TooLarge
            | VaultError::CostNotAllowed => Self::failed(what, KEPT),
            VaultError::Full => Self::failed(what, "Remove secrets that are no longer used."),
            VaultError::SecretTooLong => {
                Self::failed(what, "Check what was given; keys are shorter.")
            }
            VaultError::Busy => Self::failed(what, "Close the other program and try again."),
            VaultError::NoMemory => Self::failed(what, "Close other programs and try again."),
            VaultError::NoRandom => Self::failed(what, "Try again later; nothing was written."),
            VaultError::Io { .. } => Self::failed(
                what,
                "Check the permissions of the data folder and the free space of the disk.",
            ),
        }
    }
}

/// What is inside, by name. Values are overwritten when it goes. Names are plain text here: one that a later version gave
/// is kept, even if this one does not understand it.
pub(super) type Entries = BTreeMap<String, Secret>;

/// What a vault says about itself, as far as that is sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checked {
    cost: Cost,
    salt: [u8; SALT_BYTES],
}

/// Looks at everything that can be looked at without a passphrase.
pub(super) fn check(bytes: &[u8]) -> Result<Checked, VaultError> {
    if bytes.len() > VAULT_MAX_BYTES {
        return Err(VaultError::TooLarge);
    }
    let shortest = BODY_AT + TAG_BYTES + SUM_BYTES;
    let truncated = |expected| VaultError::Truncated {
        have: bytes.len(),
        expected,
    };
    let head = &bytes[..bytes.len().min(MAGIC.len())];
    if !MAGIC.starts_with(head) {
        return Err(VaultError::NoVault);
    }
    let version = array(bytes, MAGIC.len()).map(u16::from_le_bytes);
    match version.ok_or_else(|| truncated(shortest))? {
        VERSION => {}
        // The sum stands at the end of every format: with a wrong one it is damage that only looks old.
        version if version < VERSION => {
            return Err(if is_summed(bytes) {
                VaultError::Older { version }
            } else {
                VaultError::Damaged
            });
        }
        version => return Err(VaultError::Newer { version }),
    }
    let length = array(bytes, LENGTH_AT).map(u32::from_le_bytes);
    let length = length.ok_or_else(|| truncated(shortest))? as usize;
    let expected = BODY_AT.saturating_add(length).saturating_add(SUM_BYTES);
    if expected > VAULT_MAX_BYTES || length < TAG_BYTES || bytes.len() > expected {
        return Err(VaultError::Damaged);
    }
    if bytes.len() < expected {
        return Err(truncated(expected));
    }
    if !is_summed(bytes) {
        return Err(VaultError::Damaged);
    }
    let number = |at| array(bytes, at).map_or(0, u32::from_le_bytes);
    let cost = Cost {
        memory_kib: number(COST_AT),
        passes: number(COST_AT + 4),
        lanes: number(COST_AT + 8),
    };
    let salt = array(bytes, SALT_AT).ok_or(VaultError::Damaged)?;
    Ok(Checked { cost, salt })
}

/// Whether the last bytes are the sum of all before.
fn is_summed(bytes: &[u8]) -> bool {
    bytes
        .split_last_chunk::<SUM_BYTES>()
        .is_some_and(|(content, sum)| blake3::hash(content) == *sum)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// The key of a vault, and what it was derived with.
pub(super) struct Key {
    key: Zeroizing<[u8; KEY_BYTES]>,
    of: Checked,
}

impl Key {
    /// A key for a vault that is to be written, with a salt of its own.
    pub(super) fn new(passphrase: &Secret) -> Result<Self, VaultError> {
        Self::derive(
            passphrase,
            Checked {
                cost: Cost::STANDARD,
                salt: random()?,
            },
        )
    }

    /// The key of this vault.
    pub(super) fn of(bytes: &[u8], passphrase: &Secret) -> Result<Self, VaultError> {
        let checked = check(bytes)?;
        if !checked.cost.is_allowed() {
            return Err(VaultError::CostNotAllowed);
        }
        let key = Self::derive(passphrase, checked)?;
        key.check(bytes)?;
        Ok(key)
    }

    fn derive(passphrase: &Secret, of: Checked) -> Result<Self, VaultError> {
        let Cost {
            memory_kib,
            passes,
            lanes,
        } = of.cost;
        let params = Params::new(memory_kib, passes, lanes, Some(KEY_BYTES));
        let params = params.map_err(|_| VaultError::CostNotAllowed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        argon2
            .hash_password_into(passphrase.expose().as_bytes(), &of.salt, &mut *key)
            .map_err(|_| VaultError::NoMemory)?;
        Ok(Self { key, of })
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.key).into())
    }

    /// Whether this is the key of a vault that is not damaged.
    fn check(&self, bytes: &[u8]) -> Result<(), VaultError> {
        let nonce: XNonce = array(bytes, CHECK_AT).ok_or(VaultError::Damaged)?.into();
        let tag: Tag = array(bytes, CHECK_TAG_AT)
            .ok_or(VaultError::Damaged)?
            .into();
        let mut nothing = [];
        self.cipher()
            .decrypt_inout_detached(&nonce, &bytes[..CHECK_AT], (&mut nothing[..]).into(), &tag)
            .map_err(|_| VaultError::WrongPassphrase)
    }

    /// What is inside.
    pub(super) fn decrypt(&self, bytes: &[u8]) -> Result<Entries, VaultError> {
        if check(bytes)? != self.of {
            return Err(VaultError::PassphraseChanged);
        }
        self.check(bytes)?;
        let body = &bytes[BODY_AT..bytes.len() - SUM_BYTES];
        let (cipher_text, tag) = body.split_at(body.len() - TAG_BYTES);
        let nonce: XNonce = array(bytes, NONCE_AT).ok_or(VaultError::Damaged)?.into();
        let tag: Tag = array(tag, 0).ok_or(VaultError::Damaged)?.into();
        let mut plain = plain_buffer(cipher_text.len());
        plain.extend_from_slice(cipher_text);
        self.cipher()
            .decrypt_inout_detached(&nonce, &bytes[..BODY_AT], plain.as_mut_slice().into(), &tag)
            .map_err(|_| VaultError::Damaged)?;
        parse(&plain).ok_or(VaultError::Damaged)
    }

    /// The bytes of a vault with these entries. No two are encrypted alike.
    pub(super) fn encrypt(&self, entries: &Entries) -> Result<Vec<u8>, VaultError> {
        let mut plain = serialize(entries)?;
        let length = plain.len() + TAG_BYTES;
        let total = BODY_AT + length + SUM_BYTES;
        let (true, Ok(length)) = (total <= VAULT_MAX_BYTES, u32::try_from(length)) else {
            return Err(VaultError::Full);
        };
        let mut out = Vec::with_capacity(total);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        for number in [
            self.of.cost.memory_kib,
            self.of.cost.passes,
            self.of.cost.lanes,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.of.salt);
        let check_nonce: [u8; NONCE_BYTES] = random()?;
        let mut nothing = [];
        let check = self
            .cipher()
            .encrypt_inout_detached(&check_nonce.into(), &out, (&mut nothing[..]).into())
            .map_err(|_| VaultError::Full)?;
        out.extend_from_slice(&check_nonce);
        out.extend_from_slice(&check);
        let nonce: [u8; NONCE_BYTES] = random()?;
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&length.to_le_bytes());
        let tag = self
            .cipher()
            .encrypt_inout_detached(&nonce.into(), &out, plain.as_mut_slice().into())
            .map_err(|_| VaultError::Full)?;
        out.extend_from_slice(&plain);
        out.extend_from_slice(&tag);
        out.extend_from_slice(blake3::hash(&out).as_bytes());
        Ok(out)
    }
}

fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| VaultError::NoRandom)?;
    Ok(bytes)
}

fn serialize(entries: &Entries) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    if entries.len() > ENTRIES_MAX {
        return Err(VaultError::Full);
    }
    let lengths = entries
        .iter()
        .map(|(name, secret)| 2 + name.len() + 4 + secret.expose().len());
    let mut out = plain_buffer(4 + lengths.sum::<usize>());
    out.extend_from_slice(
        &u32::try_from(entries.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    for (name, secret) in entries {
        let value = secret.expose();
        if value.len() > SECRET_MAX_BYTES {
            return Err(VaultError::SecretTooLong);
        }
        // Both are far below what their lengths can say.
        out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    Ok(out)
}

/// The entries, if these bytes are exactly that.
fn parse(mut plain: &[u8]) -> Option<Entries> {
    fn take<'a>(from: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
        let (head, rest) = from.split_at_checked(bytes)?;
        *from = rest;
        Some(head)
    }
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).ok();
    let count = u32::from_le_bytes(take(&mut plain, 4)?.try_into().ok()?) as usize;
    if count > ENTRIES_MAX {
        return None;
    }
    let mut entries = Entries::new();
    for _ in 0..count {
        let length = u16::from_le_bytes(take(&mut plain, 2)?.try_into().ok()?);
        let name = text(take(&mut plain, usize::from(length))?)?;
        let length = u32::from_le_bytes(take(&mut plain, 4)?.try_into().ok()?) as usize;
        if length > SECRET_MAX_BYTES {
            return None;
        }
        let value = Secret::new(text(take(&mut plain, length)?)?);
        if entries.insert(name, value).is_some() {
            return None;
        }
    }
    plain.is_empty().then_some(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A key without the work of deriving it.
    fn key(byte: u8) -> Key {
        Key {
            key: Zeroizing::new([byte; KEY_BYTES]),
            of: Checked {
                cost: Cost::STANDARD,
                salt: [byte; SALT_BYTES],
            },
        }
    }

    fn some() -> Entries {
        let value = |text: &str| Secret::new(String::from(text));
        Entries::from([
            (String::from("providers/groq"), value("gsk-one")),
            (String::from("connectors/mail"), value("")),
            (String::from("of a later version"), value("ü\n")),
        ])
    }

    /// A file whose sums are right, whatever it says.
    fn summed(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
        bytes[at..at + new.len()].copy_from_slice(new);
        let content = bytes.len() - SUM_BYTES;
        let sum = *blake3::hash(&bytes[..content]).as_bytes();
        bytes[content..].copy_from_slice(&sum);
        bytes
    }

    #[test]
    fn a_vault_cut_anywhere_is_refused_and_says_so() {
        let key = key(1);
        let bytes = key.encrypt(&some()).unwrap();
        for cut in 0..bytes.len() {
            let error = key.decrypt(&bytes[..cut]).unwrap_err();
            assert!(
                matches!(error, VaultError::Truncated { .. }),
                "{cut}: {error}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(key.decrypt(&longer).unwrap_err(), VaultError::Damaged);
    }

    #[test]
    fn a_vault_with_any_bit_flipped_is_refused_with_and_without_its_sum() {
        let key = key(1);
        let bytes = key.encrypt(&some()).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let error = key.decrypt(&flipped).unwrap_err();
                let is_one_of = matches!(
                    error,
                    VaultError::Damaged
                        | VaultError::NoVault
                        | VaultError::Newer { .. }
                        | VaultError::Truncated { .. }
                );
                assert!(is_one_of, "{at}.{bit}: {error}");
                if at < bytes.len() - SUM_BYTES {
                    let byte = [flipped[at]];
                    assert!(
                        key.decrypt(&summed(flipped, at, &byte)).is_err(),
                        "{at}.{bit}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_hostile_file_does_not_choose_how_much_work_it_costs() {
        let bytes = key(1).encrypt(&some()).unwrap();
        let passphrase = Secret::new(String::from("any passphrase"));
        for (at, number) in [
            (0, u32::MAX),
            (0, 1024 * 1024),
            (0, 64 * 1024 - 1),
            (0, 0),
            (4, u32::MAX),
            (4, 2),
            (4, 17),
            (8, 0),
            (8, u32::MAX),
        ] {
            let hostile = summed(bytes.clone(), COST_AT + at, &number.to_le_bytes());
            let error = Key::of(&hostile, &passphrase).map(drop).unwrap_err();
            assert_eq!(error, VaultError::CostNotAllowed, "{at}: {number}");
        }
    }

    #[test]
    fn a_wrong_key_is_told_from_damage_and_from_another_salt() {
        let bytes = key(1).encrypt(&some()).unwrap();
        let mut wrong = key(2);
        assert_eq!(
            wrong.decrypt(&bytes).unwrap_err(),
            VaultError::PassphraseChanged
        );
        wrong.of = key(1).of;
        assert_eq!(
            wrong.decrypt(&bytes).unwrap_err(),
            VaultError::WrongPassphrase
        );
        let damaged = summed(bytes, BODY_AT, &[0, 0, 0, 0]);
        assert_eq!(key(1).decrypt(&damaged).unwrap_err(), VaultError::Damaged);
    }

    #[test]
    fn there_is_a_limit_to_everything() {
        let many = |count: usize, bytes: usize| -> Entries {
            let value = Secret::new("a".repeat(bytes));
            (0..count)
                .map(|at| (format!("providers/{at}"), value.clone()))
                .collect()
        };
        assert!(key(1).encrypt(&many(ENTRIES_MAX, 100)).is_ok());
        assert_eq!(
            key(1).encrypt(&many(ENTRIES_MAX + 1, 1)).unwrap_err(),
            VaultError::Full
        );
        assert_eq!(
            key(1).encrypt(&many(400, SECRET_MAX_BYTES)).unwrap_err(),
            VaultError::Full
        );
        let long = key(1).encrypt(&many(1, SECRET_MAX_BYTES + 1));
        assert_eq!(long.unwrap_err(), VaultError::SecretTooLong);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn what_goes_in_comes_out_and_never_twice_alike(
            entries in proptest::collection::btree_map("[a-z]{1,9}/[a-z0-9]{1,20}", any::<String>(), 0..20)
        ) {
            let entries: Entries = entries.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
            let bytes = key(7).encrypt(&entries).unwrap();
            prop_assert_eq!(&key(7).decrypt(&bytes).unwrap(), &entries);
            prop_assert_ne!(key(7).encrypt(&entries).unwrap(), bytes);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..200) {
            prop_assert!(parse(&bytes).is_none_or(|entries| entries.len() <= ENTRIES_MAX));
            let mut file = key(1).encrypt(&some()).unwrap();
            let end = (at + bytes.len()).min(file.len());
            file.truncate(at);
            file.extend_from_slice(&bytes[..end.saturating_sub(at)]);
            prop_assert!(key(1).decrypt(&file).is_err());
        }
    }
}

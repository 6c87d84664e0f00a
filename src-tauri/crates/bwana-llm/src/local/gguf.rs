//! The head of a model file: enough to see that it is whole in form and to say what is in it. Weights are never read.
//! The file may be hostile: every count and length is bounded before anything is done with it.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little-endian.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

const MAGIC: [u8; 4] = *b"GGUF";
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=3;
/// The head of the largest models is about 20 MB: their vocabulary.
const HEAD_MAX_BYTES: u64 = 128 * 1024 * 1024;
const KEYS_MAX: u64 = 4_096;
const TENSORS_MAX: u64 = 65_536;
/// A name or a value that is kept; longer values are skipped.
const TEXT_MAX_BYTES: u64 = 1_024;
/// ggml knows four.
const DIMENSIONS_MAX: u32 = 8;

/// What a model file says of itself. It is the file's word: shown, never relied on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Like `llama` or `qwen3`.
    pub architecture: Option<String>,
    /// Weights, counted from the shapes in the head.
    pub parameters: u64,
    /// The context the model was trained for, in tokens.
    pub context_tokens: Option<u32>,
    /// How the weights are stored, like `Q4_K_M`.
    pub quantisation: Option<&'static str>,
}

/// Why a file is not a usable model.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    #[error("it does not begin as a GGUF file does")]
    NotGguf,
    #[error("it is GGUF version {0}, and this program reads versions 2 and 3")]
    Version(u32),
    #[error("it ends before its head does")]
    Cut,
    #[error("its weights are not all there: they reach to byte {needed} and the file has {has}")]
    WeightsCut { needed: u64, has: u64 },
    #[error("its head makes no sense: {0}")]
    Nonsense(&'static str),
    #[error("it cannot be read: {0}")]
    Io(std::io::Error),
}

impl From<std::io::Error> for GgufError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::Cut,
            _ => Self::Io(error),
        }
    }
}

/// Reads the head of `file`.
///
/// # Errors
/// [`GgufError`], said so that a person can judge.
pub fn read(file: &Path) -> Result<Facts, GgufError> {
    let file = File::open(file)?;
    let bytes = file.metadata()?.len();
    parse(BufReader::new(file), bytes)
}

/// The same from any reader of a file of `file_bytes`.
///
/// # Errors
/// [`GgufError`].
pub fn parse(from: impl Read, file_bytes: u64) -> Result<Facts, GgufError> {
    let mut head = Head {
        from: from.take(HEAD_MAX_BYTES),
        read_bytes: 0,
    };
    let mut magic = [0; 4];
    match head.fill(&mut magic) {
        Ok(()) if magic == MAGIC => {}
        Ok(()) | Err(GgufError::Cut) => return Err(GgufError::NotGguf),
        Err(error) => return Err(error),
    }
    let version = head.u32()?;
    if !VERSIONS.contains(&version) {
        return Err(GgufError::Version(version));
    }
    let tensors = head.u64()?;
    let keys = head.u64()?;
    if tensors == 0 || tensors > TENSORS_MAX {
        return Err(GgufError::Nonsense("the number of its tensors"));
    }
    if keys > KEYS_MAX {
        return Err(GgufError::Nonsense("the number of its keys"));
    }
    let mut facts = Facts::default();
    let mut contexts = Vec::new();
    for _ in 0..keys {
        head.key(&mut facts, &mut contexts)?;
    }
    let last_offset = head.tensors(tensors, &mut facts)?;
    let needed = head.read_bytes.saturating_add(last_offset);
    if needed >= file_bytes {
        return Err(GgufError::WeightsCut {
            needed,
            has: file_bytes,
        });
    }
    let own = |(key, _): &&(String, u64)| {
        let owner = key.strip_suffix(CONTEXT_KEY);
        owner.is_some() && owner == facts.architecture.as_deref()
    };
    let context = contexts.iter().find(own).map(|(_, tokens)| *tokens);
    facts.context_tokens = context.and_then(|tokens| u32::try_from(tokens).ok());
    Ok(facts)
}

const ARCHITECTURE_KEY: &str = "general.architecture";
const FILE_TYPE_KEY: &str = "general.file_type";
const CONTEXT_KEY: &str = ".context_length";
/// Contexts remembered until the architecture is known. A file has one.
const CONTEXTS_MAX: usize = 8;

struct Head<R> {
    from: std::io::Take<R>,
    read_bytes: u64,
}

impl<R: Read> Head<R> {
    fn key(
        &mut self,
        facts: &mut Facts,
        contexts: &mut Vec<(String, u64)>,
    ) -> Result<(), GgufError> {
        let name = self.text()?.ok_or(GgufError::Nonsense("a key's name"))?;
        let kind = self.u32()?;
        match (name.as_str(), kind) {
            (ARCHITECTURE_KEY, STRING) => facts.architecture = self.text()?,
            (FILE_TYPE_KEY, U32) => facts.quantisation = quantisation(self.u32()?),
            (name, U32) if name.ends_with(CONTEXT_KEY) && contexts.len() < CONTEXTS_MAX => {
                contexts.push((name.to_owned(), u64::from(self.u32()?)));
            }
            (name, U64) if name.ends_with(CONTEXT_KEY) && contexts.len() < CONTEXTS_MAX => {
                contexts.push((name.to_owned(), self.u64()?));
            }
            (_, ARRAY) => self.skip_array()?,
            (_, STRING) => self.skip_text()?,
            (_, kind) => self.skip(fixed_bytes(kind)?)?,
        }
        Ok(())
    }

    fn skip_array(&mut self) -> Result<(), GgufError> {
        let kind = self.u32()?;
        let count = self.u64()?;
        if kind == STRING {
            // Each takes eight bytes at least, so the bound on the head bounds this loop.
            for _ in 0..count {
                self.skip_text()?;
            }
            return Ok(());
        }
        // Arrays of arrays exist on paper only.
        let bytes = fixed_bytes(kind)?.checked_mul(count);
        self.skip(bytes.ok_or(GgufError::Nonsense("the length of an array"))?)
    }

    /// Adds up the parameters; answers where the last tensor begins, counted from the end of the head.
    fn tensors(&mut self, count: u64, facts: &mut Facts) -> Result<u64, GgufError> {
        let mut last_offset = 0;
        for _ in 0..count {
            self.skip_text()?;
            let dimensions = self.u32()?;
            if dimensions == 0 || dimensions > DIMENSIONS_MAX {
                return Err(GgufError::Nonsense("the shape of a tensor"));
            }
            let mut weights = 1_u64;
            for _ in 0..dimensions {
                weights = weights.saturating_mul(self.u64()?);
            }
            facts.parameters = facts.parameters.saturating_add(weights);
            let _kind = self.u32()?;
            last_offset = last_offset.max(self.u64()?);
        }
        Ok(last_offset)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), GgufError> {
        self.from.read_exact(bytes)?;
        self.read_bytes += bytes.len() as u64;
        Ok(())
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// A text, or `None` for one that is too long to keep or no text.
    fn text(&mut self) -> Result<Option<String>, GgufError> {
        let bytes = self.u64()?;
        if bytes > TEXT_MAX_BYTES {
            self.skip(bytes)?;
            return Ok(None);
        }
        let mut text = vec![0; usize::try_from(bytes).unwrap_or_default()];
        self.fill(&mut text)?;
        Ok(String::from_utf8(text).ok())
    }

    fn skip_text(&mut self) -> Result<(), GgufError> {
        let bytes = self.u64()?;
        self.skip(bytes)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), GgufError> {
        if bytes > self.from.limit() {
            return Err(GgufError::Cut);
        }
        let skipped = std::io::copy(&mut self.from.by_ref().take(bytes), &mut std::io::sink())?;
        self.read_bytes += skipped;
        if skipped < bytes {
            return Err(GgufError::Cut);
        }
        Ok(())
    }
}

const U32: u32 = 4;
const STRING: u32 = 8;
const ARRAY: u32 = 9;
const U64: u32 = 10;

fn fixed_bytes(kind: u32) -> Result<u64, GgufError> {
    match kind {
        0 | 1 | 7 => Ok(1),
        2 | 3 => Ok(2),
        U32 | 5 | 6 => Ok(4),
        U64 | 11 | 12 => Ok(8),
        _ => Err(GgufError::Nonsense("the kind of a value")),
    }
}

/// Names of llama.cpp's file types.
fn quantisation(file_type: u32) -> Option<&'static str> {
    Some(match file_type {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        25 => "IQ4_NL",
        30 => "IQ4_XS",
        32 => "BF16",
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(to: &mut Vec<u8>, text: &str) {
        to.extend((text.len() as u64).to_le_bytes());
        to.extend(text.as_bytes());
    }

    fn number(to: &mut Vec<u8>, key: &str, value: u32) {
        text(to, key);
        to.extend(U32.to_le_bytes());
        to.extend(value.to_le_bytes());
    }

    /// A small model of two tensors, with some bytes of weights.
    pub(in crate::local) fn sample(weights_bytes: usize) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        file.extend(3_u32.to_le_bytes());
        file.extend(2_u64.to_le_bytes());
        file.extend(5_u64.to_le_bytes());
        number(&mut file, "other.context_length", 9);
        number(&mut file, "llama.context_length", 2_048);
        text(&mut file, ARCHITECTURE_KEY);
        file.extend(STRING.to_le_bytes());
        text(&mut file, "llama");
        number(&mut file, FILE_TYPE_KEY, 15);
        text(&mut file, "tokenizer.ggml.tokens");
        file.extend(ARRAY.to_le_bytes());
        file.extend(STRING.to_le_bytes());
        file.extend(2_u64.to_le_bytes());
        text(&mut file, "a");
        text(&mut file, "b");
        for (name, offset) in [("first", 0_u64), ("second", 16)] {
            text(&mut file, name);
            file.extend(2_u32.to_le_bytes());
            file.extend(4_u64.to_le_bytes());
            file.extend(3_u64.to_le_bytes());
            file.extend(0_u32.to_le_bytes());
            file.extend(offset.to_le_bytes());
        }
        file.extend((0..weights_bytes).map(|n| u8::try_from(n % 251).unwrap()));
        file
    }

    fn check(bytes: &[u8]) -> Result<Facts, String> {
        parse(bytes, bytes.len() as u64).map_err(|error| error.to_string())
    }

    #[test]
    fn a_model_says_what_it_is() {
        let facts = check(&sample(64)).unwrap();
        assert_eq!(
            facts,
            Facts {
                architecture: Some("llama".into()),
                parameters: 24,
                context_tokens: Some(2_048),
                quantisation: Some("Q4_K_M"),
            }
        );
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let whole = sample(20);
        let weights_begin = whole.len() - 20;
        for cut in 0..weights_begin + 16 {
            assert!(check(&whole[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn another_file_is_told_apart() {
        assert!(check(b"").unwrap_err().contains("does not begin"));
        assert!(
            check(b"<!doctype html><html>")
                .unwrap_err()
                .contains("does not begin")
        );
        let mut old = sample(9);
        old[4] = 1;
        assert!(check(&old).unwrap_err().contains("version 1"));
        let no_tensors = [&MAGIC[..], &3_u32.to_le_bytes(), &[0; 16]].concat();
        assert!(check(&no_tensors).unwrap_err().contains("tensors"));
    }

    #[test]
    fn counts_no_file_can_have_cost_nothing() {
        let mut file = sample(9);
        file[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(check(&file).is_err());
        let mut file = sample(9);
        file[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(check(&file).is_err());
        let mut file = sample(9);
        // The length of the first key.
        file[24..32].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(check(&file).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = check(&bytes);
            let begun = [&MAGIC[..], &3_u32.to_le_bytes(), &bytes].concat();
            let _ = check(&begun);
        }

        #[test]
        fn no_changed_byte_makes_it_panic(at in 4_usize..280, to in any::<u8>()) {
            let mut file = sample(64);
            let at = at.min(file.len() - 1);
            file[at] = to;
            let _ = check(&file);
        }
    }
}

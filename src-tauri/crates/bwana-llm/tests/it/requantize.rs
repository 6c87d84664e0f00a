//! The test model's weights in another layout: every `Q4_1` block (a scale, an offset, 32 numbers of 4 bits) as a `Q5_1`
//! block (the same, with a fifth bit a number, all of them zero here). Not a bit of any weight changes; it is for servers
//! that read the one layout and not the other. Knows of the GGUF file format what that takes, and nothing else.

use std::io;
use std::path::Path;

const MAGIC: &[u8; 4] = b"GGUF";
const ALIGNMENT_KEY: &[u8] = b"general.alignment";
const ALIGNMENT_DEFAULT: usize = 32;
/// Kinds of values in the file's head.
const STRING: u32 = 8;
const ARRAY: u32 = 9;
/// Kinds of tensors.
const F32: u32 = 0;
const F16: u32 = 1;
const Q4_1: u32 = 3;
const Q5_1: u32 = 7;
const Q8_0: u32 = 8;
const BLOCK: u64 = 32;
const Q4_1_BYTES: usize = 20;
/// Scale and offset of a block, two bytes each.
const SCALES_BYTES: usize = 4;
/// The fifth bits of a block.
const HIGH_BITS: [u8; 4] = [0; 4];

/// Writes `from` to `to` with every `Q4_1` tensor as `Q5_1`.
///
/// # Errors
/// If a file cannot be read or written, or is no GGUF file as the starter model is one.
pub(crate) fn q4_1_as_q5_1(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = std::fs::read(from)?;
    let again = reencode(&bytes).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is not a GGUF file of the known kinds", from.display()),
        )
    })?;
    std::fs::write(to, again)
}

struct Tensor<'a> {
    /// Name and dimensions, as they stand in the file.
    head: &'a [u8],
    kind: u32,
    data: &'a [u8],
}

fn reencode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut head = Cursor { bytes, at: 0 };
    if head.take(4)? != MAGIC {
        return None;
    }
    head.u32()?;
    let (tensors, pairs) = (head.u64()?, head.u64()?);
    let mut alignment = ALIGNMENT_DEFAULT;
    for _ in 0..pairs {
        let key = head.string()?;
        let kind = head.u32()?;
        let value = head.value(kind)?;
        if key == ALIGNMENT_KEY {
            alignment = u32::from_le_bytes(value.try_into().ok()?) as usize;
        }
    }
    let mut again = bytes[..head.at].to_vec();
    let mut data = Vec::new();
    for tensor in tensor_list(&mut head, tensors, alignment)? {
        pad(&mut data, alignment);
        let kind = if tensor.kind == Q4_1 {
            Q5_1
        } else {
            tensor.kind
        };
        again.extend_from_slice(tensor.head);
        again.extend_from_slice(&kind.to_le_bytes());
        again.extend_from_slice(&(data.len() as u64).to_le_bytes());
        if tensor.kind == Q4_1 {
            for block in tensor.data.chunks_exact(Q4_1_BYTES) {
                let (scales, numbers) = block.split_at(SCALES_BYTES);
                data.extend_from_slice(scales);
                data.extend_from_slice(&HIGH_BITS);
                data.extend_from_slice(numbers);
            }
        } else {
            data.extend_from_slice(tensor.data);
        }
    }
    pad(&mut again, alignment);
    again.extend(data);
    Some(again)
}

fn tensor_list<'a>(head: &mut Cursor<'a>, count: u64, alignment: usize) -> Option<Vec<Tensor<'a>>> {
    let mut places = Vec::new();
    for _ in 0..count {
        let from = head.at;
        head.string()?;
        let mut numbers: u64 = 1;
        for _ in 0..head.u32()? {
            numbers = numbers.checked_mul(head.u64()?)?;
        }
        let name_and_sizes = &head.bytes[from..head.at];
        places.push((name_and_sizes, numbers, head.u32()?, head.u64()?));
    }
    let base = head.at.next_multiple_of(alignment);
    let tensor = |(name_and_sizes, numbers, kind, offset)| {
        let length = match kind {
            F32 => numbers * 4,
            F16 => numbers * 2,
            Q4_1 => numbers / BLOCK * Q4_1_BYTES as u64,
            Q5_1 => numbers / BLOCK * 24,
            Q8_0 => numbers / BLOCK * 34,
            _ => return None,
        };
        let from = base.checked_add(usize::try_from(offset).ok()?)?;
        let to = from.checked_add(usize::try_from(length).ok()?)?;
        Some(Tensor {
            head: name_and_sizes,
            kind,
            data: head.bytes.get(from..to)?,
        })
    };
    places.into_iter().map(tensor).collect()
}

fn pad(bytes: &mut Vec<u8>, alignment: usize) {
    bytes.resize(bytes.len().next_multiple_of(alignment), 0);
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u64()?).ok()?;
        self.take(length)
    }

    /// Passes over a value and gives its bytes.
    fn value(&mut self, kind: u32) -> Option<&'a [u8]> {
        let from = self.at;
        match kind {
            0 | 1 | 7 => self.take(1)?,
            2 | 3 => self.take(2)?,
            4..=6 => self.take(4)?,
            10..=12 => self.take(8)?,
            STRING => self.string()?,
            ARRAY => {
                let kind = self.u32()?;
                for _ in 0..self.u64()? {
                    self.value(kind)?;
                }
                &[]
            }
            _ => return None,
        };
        Some(&self.bytes[from..self.at])
    }
}

/// A file of one block and one number each, byte by byte.
#[test]
fn a_block_keeps_its_numbers_in_the_wider_layout() {
    let file = |kind: u32, block: &[u8]| {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        for count in [2_u64, 1] {
            bytes.extend(count.to_le_bytes());
        }
        bytes.extend(3_u64.to_le_bytes());
        bytes.extend(b"key");
        bytes.extend(STRING.to_le_bytes());
        bytes.extend(2_u64.to_le_bytes());
        bytes.extend(b"hi");
        let second = (block.len() as u64).next_multiple_of(32);
        for (name, size, kind, offset) in [("w", BLOCK, kind, 0), ("x", 1, F32, second)] {
            bytes.extend(1_u64.to_le_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend(1_u32.to_le_bytes());
            bytes.extend(size.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
        }
        pad(&mut bytes, 32);
        bytes.extend(block);
        pad(&mut bytes, 32);
        bytes.extend(7_f32.to_le_bytes());
        bytes
    };
    let narrow: Vec<u8> = (1..=20).collect();
    let wide: Vec<u8> = [&narrow[..4], &[0; 4], &narrow[4..]].concat();
    assert_eq!(reencode(&file(Q4_1, &narrow)), Some(file(Q5_1, &wide)));
    assert_eq!(reencode(b"GGUF and nothing more"), None);
    assert_eq!(reencode(&file(99, &narrow)), None);
}

//! Draws the app's mark in every size and container a desktop asks for: one path that starts at the top, goes down and
//! comes round, and the person it comes back to. `icons/app.svg` and `icons/app-16.svg` are the same drawings for people.
//!
//! Pixels come from signed distances, so every edge is smooth at every size and the pictures are the same on every
//! machine. The bytes of the files need not be: which compressor flate2 uses depends on what else is built with it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// A drawing in its own units.
struct Mark {
    /// Side of the square, in units.
    side: f64,
    corner: f64,
    /// Top of the stroke.
    start: [f64; 2],
    /// Centre of the turn and of the dot.
    centre: [f64; 2],
    turn: f64,
    stroke: f64,
    dot: f64,
}

const LARGE: Mark = Mark {
    side: 32.0,
    corner: 7.5,
    start: [9.75, 6.5],
    centre: [16.0, 19.0],
    turn: 6.25,
    stroke: 3.5,
    dot: 2.25,
};

/// At sixteen pixels the large drawing blurs; this one sits on the pixel grid.
const SMALL: Mark = Mark {
    side: 16.0,
    corner: 3.5,
    start: [5.0, 3.0],
    centre: [8.5, 9.5],
    turn: 3.5,
    stroke: 2.0,
    dot: 1.25,
};

type Rgb = [u8; 3];
const GROUND: Rgb = [11, 107, 131];
const PATH: Rgb = [250, 250, 248];
const PERSON: Rgb = [242, 184, 75];

impl Mark {
    fn to_svg(&self) -> String {
        let Self {
            side,
            corner,
            start,
            centre,
            turn,
            stroke,
            dot,
        } = self;
        let hex = |c: Rgb| format!("#{:02X}{:02X}{:02X}", c[0], c[1], c[2]);
        let (ground, path, person) = (hex(GROUND), hex(PATH), hex(PERSON));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"512\" height=\"512\" viewBox=\"0 0 {side} {side}\">\
             <title>Bwana Desktop</title>\
             <rect width=\"{side}\" height=\"{side}\" rx=\"{corner}\" fill=\"{ground}\"/>\
             <path d=\"M{} {}V{}a{turn} {turn} 0 1 0 {turn}-{turn}\" fill=\"none\" stroke=\"{path}\" \
             stroke-width=\"{stroke}\" stroke-linecap=\"round\"/>\
             <circle cx=\"{}\" cy=\"{}\" r=\"{dot}\" fill=\"{person}\"/></svg>\n",
            start[0], start[1], centre[1], centre[0], centre[1],
        )
    }

    /// RGBA rows, not premultiplied.
    fn draw(&self, pixels: u32) -> Vec<u8> {
        let scale = f64::from(pixels) / self.side;
        let mut rgba = Vec::with_capacity((pixels * pixels * 4) as usize);
        for y in 0..pixels {
            for x in 0..pixels {
                let at = [(f64::from(x) + 0.5) / scale, (f64::from(y) + 0.5) / scale];
                // How much of the pixel lies inside, from the distance of its centre to the edge.
                let cover = |distance: f64| (0.5 - distance * scale).clamp(0.0, 1.0);
                let mut colour = GROUND.map(f64::from);
                for (cover, over) in [
                    (cover(self.to_stroke(at)), PATH),
                    (cover(distance(at, self.centre) - self.dot), PERSON),
                ] {
                    for (under, over) in colour.iter_mut().zip(over) {
                        *under += (f64::from(over) - *under) * cover;
                    }
                }
                rgba.extend(colour.map(to_byte));
                rgba.push(to_byte(cover(self.to_ground(at)) * 255.0));
            }
        }
        rgba
    }

    /// Distance to the rounded square; negative inside.
    fn to_ground(&self, at: [f64; 2]) -> f64 {
        let half = self.side / 2.0;
        let out = at.map(|c| (c - half).abs() - half + self.corner);
        let outside = out.map(|c| c.max(0.0));
        outside[0].hypot(outside[1]) + out[0].max(out[1]).min(0.0) - self.corner
    }

    /// Distance to the stroke: a line down, then three quarters of a circle, with round ends.
    fn to_stroke(&self, at: [f64; 2]) -> f64 {
        let foot = [self.start[0], at[1].clamp(self.start[1], self.centre[1])];
        let line = distance(at, foot);
        let is_in_the_gap = at[0] < self.centre[0] && at[1] < self.centre[1];
        let arc = if is_in_the_gap {
            let end = [self.centre[0], self.centre[1] - self.turn];
            distance(at, end)
        } else {
            (distance(at, self.centre) - self.turn).abs()
        };
        line.min(arc) - self.stroke / 2.0
    }

    fn png(&self, pixels: u32) -> io::Result<Vec<u8>> {
        png(pixels, &self.draw(pixels))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a blend of bytes lies between them"
)]
fn to_byte(channel: f64) -> u8 {
    channel.round() as u8
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Every file of the set with its content.
///
/// # Errors
/// Never for these sizes; the compressor's type says it could.
pub fn files() -> io::Result<Vec<(&'static str, Vec<u8>)>> {
    let small = SMALL.png(16)?;
    let [p32, p48, p64, p128, p256, p512, p1024] = {
        let mut sizes = [const { Vec::new() }; 7];
        for (png, pixels) in sizes.iter_mut().zip([32, 48, 64, 128, 256, 512, 1024]) {
            *png = LARGE.png(pixels)?;
        }
        sizes
    };
    let ico = ico(&[
        (16, &small),
        (32, &p32),
        (48, &p48),
        (64, &p64),
        (256, &p256),
    ]);
    let icns = icns(&[
        (b"ic11", &p32),
        (b"ic12", &p64),
        (b"ic07", &p128),
        (b"ic13", &p256),
        (b"ic08", &p256),
        (b"ic14", &p512),
        (b"ic09", &p512),
        (b"ic10", &p1024),
    ]);
    Ok(vec![
        ("app.svg", LARGE.to_svg().into_bytes()),
        ("app-16.svg", SMALL.to_svg().into_bytes()),
        ("32x32.png", p32),
        ("128x128.png", p128),
        ("128x128@2x.png", p256),
        ("icon.png", p512),
        ("icon.ico", ico),
        ("icon.icns", icns),
    ])
}

/// Writes the set into `folder`.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in files()? {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// A PNG with eight bits a channel (the Portable Network Graphics specification, third edition, section 11).
fn png(pixels: u32, rgba: &[u8]) -> io::Result<Vec<u8>> {
    let row_bytes = pixels as usize * 4;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    for row in rgba.chunks(row_bytes) {
        packed.write_all(&[0])?; // no filter
        packed.write_all(row)?;
    }
    let mut header = Vec::new();
    header.extend(pixels.to_be_bytes());
    header.extend(pixels.to_be_bytes());
    header.extend([8, 6, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [
        (b"IHDR", header),
        (b"IDAT", packed.finish()?),
        (b"IEND", Vec::new()),
    ] {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(&data);
        file.extend(be_length(data.len()));
        file.extend(kind);
        file.extend(&data);
        file.extend(crc.sum().to_be_bytes());
    }
    Ok(file)
}

fn be_length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("icons are small").to_be_bytes()
}

/// An icon for Windows: a directory, then the pictures as PNG.
fn ico(pictures: &[(u16, &Vec<u8>)]) -> Vec<u8> {
    const HEADER_BYTES: usize = 6;
    const ENTRY_BYTES: usize = 16;
    let mut file = Vec::new();
    let count = u16::try_from(pictures.len()).expect("a handful");
    for word in [0_u16, 1, count] {
        file.extend(word.to_le_bytes());
    }
    let mut offset = HEADER_BYTES + ENTRY_BYTES * pictures.len();
    for (pixels, png) in pictures {
        // A side of 256 is written as 0.
        let side = u8::try_from(*pixels).unwrap_or(0);
        file.extend([side, side, 0, 0, 1, 0, 32, 0]);
        for word in [png.len(), offset] {
            file.extend(u32::try_from(word).expect("icons are small").to_le_bytes());
        }
        offset += png.len();
    }
    for (_, png) in pictures {
        file.extend(*png);
    }
    file
}

/// An icon for macOS: named pictures as PNG.
fn icns(pictures: &[(&[u8; 4], &Vec<u8>)]) -> Vec<u8> {
    const HEADER_BYTES: usize = 8;
    let total: usize = pictures
        .iter()
        .map(|(_, png)| png.len() + HEADER_BYTES)
        .sum();
    let mut file = b"icns".to_vec();
    file.extend(be_length(total + HEADER_BYTES));
    for (name, png) in pictures {
        file.extend(*name);
        file.extend(be_length(png.len() + HEADER_BYTES));
        file.extend(*png);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_icons_in_the_tree_are_the_ones_drawn_here() {
        for (name, bytes) in files().unwrap() {
            let stored = fs::read(crate::root().join("icons").join(name)).unwrap();
            if let Err(why) = compare(name, &stored, &bytes) {
                panic!("{name} is another one ({why}): run `cargo xtask icons`");
            }
        }
    }

    #[test]
    fn another_icon_is_told_from_ours() {
        let other = Mark {
            dot: LARGE.dot + 0.25,
            ..LARGE
        };
        let (ours, others) = (LARGE.png(32).unwrap(), other.png(32).unwrap());
        let name = b"ic11";
        for (file, drawn, stored) in [
            ("a.svg", LARGE.to_svg().into(), other.to_svg().into()),
            ("a.png", ours.clone(), others.clone()),
            ("a.png", ours.clone(), LARGE.png(16).unwrap()),
            ("a.png", ours.clone(), ours[..ours.len() - 20].to_vec()),
            ("a.ico", ico(&[(32, &ours)]), ico(&[(32, &others)])),
            ("a.ico", ico(&[(32, &ours)]), ico(&[(16, &ours)])),
            ("a.icns", icns(&[(name, &ours)]), icns(&[(name, &others)])),
            ("a.icns", icns(&[(name, &ours)]), icns(&[(b"ic07", &ours)])),
            ("a.icns", icns(&[(name, &ours)]), icns(&[])),
        ] {
            compare(file, &drawn, &drawn).unwrap();
            compare(file, &stored, &drawn).unwrap_err();
        }
    }

    /// Whether two files of the set show the same: text as it is, pictures by their pixels.
    fn compare(file: &str, stored: &[u8], drawn: &[u8]) -> Result<(), String> {
        /// `hypot` is the system's own and may round the other way.
        const CHANNEL_DIFFERENCE_MAX: u8 = 1;
        let Some(drawn) = pictures(file, drawn) else {
            return if stored == drawn {
                Ok(())
            } else {
                Err(String::from("its text differs"))
            };
        };
        let stored = pictures(file, stored).unwrap_or_default();
        if stored.len() != drawn.len() {
            return Err(format!("{} pictures, not {}", stored.len(), drawn.len()));
        }
        for ((stored_as, stored), (drawn_as, drawn)) in stored.iter().zip(&drawn) {
            let stored = unpack(stored).ok_or("a picture cannot be read")?;
            let drawn = unpack(drawn).ok_or("what is drawn cannot be read")?;
            if stored_as != drawn_as || stored.len() != drawn.len() {
                return Err(format!("{stored_as:?} has another name or size"));
            }
            let differing = stored
                .iter()
                .zip(&drawn)
                .filter(|(stored, drawn)| stored.abs_diff(**drawn) > CHANNEL_DIFFERENCE_MAX)
                .count();
            if differing > 0 {
                return Err(format!("{differing} bytes of {stored_as:?} differ"));
            }
        }
        Ok(())
    }

    /// The PNG files in a file, each with how its container calls it; `None` for text.
    fn pictures<'a>(file: &str, bytes: &'a [u8]) -> Option<Vec<(&'a [u8], &'a [u8])>> {
        let number = |at: usize, read: fn([u8; 4]) -> u32| {
            let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
            usize::try_from(read(bytes)).ok()
        };
        match Path::new(file).extension()?.to_str()? {
            "png" => Some(vec![(&[], bytes)]),
            "ico" => (0..usize::from(*bytes.get(4)?))
                .map(|index| {
                    let entry = 6 + index * 16;
                    let length = number(entry + 8, u32::from_le_bytes)?;
                    let at = number(entry + 12, u32::from_le_bytes)?;
                    Some((&bytes[entry..entry + 8], bytes.get(at..at + length)?))
                })
                .collect(),
            "icns" => {
                let mut found = Vec::new();
                let mut at = 8;
                while at < bytes.len() {
                    let end = at + number(at + 4, u32::from_be_bytes)?;
                    found.push((&bytes[at..at + 4], bytes.get(at + 8..end)?));
                    at = end;
                }
                Some(found)
            }
            _ => None,
        }
    }

    /// Header and rows of a PNG that `png` wrote, one chunk of pixels.
    fn unpack(png: &[u8]) -> Option<Vec<u8>> {
        let mut content = png.get(16..29)?.to_vec();
        let length = u32::from_be_bytes(png.get(33..37)?.try_into().ok()?);
        let packed = png.get(41..41 + usize::try_from(length).ok()?)?;
        io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(packed), &mut content).ok()?;
        Some(content)
    }

    #[track_caller]
    fn check(x: u32, y: u32, rgba: [u8; 4]) {
        let at = ((y * 512 + x) * 4) as usize;
        assert_eq!(LARGE.draw(512)[at..at + 4], rgba, "pixel {x}, {y}");
    }

    #[test]
    fn ground_path_person_and_corner_have_their_colours() {
        check(256, 304, [242, 184, 75, 255]);
        check(156, 150, [250, 250, 248, 255]);
        check(256, 404, [250, 250, 248, 255]);
        check(356, 304, [250, 250, 248, 255]);
        check(256, 100, [11, 107, 131, 255]);
        check(200, 240, [11, 107, 131, 255]);
        check(0, 0, [11, 107, 131, 0]);
    }
}

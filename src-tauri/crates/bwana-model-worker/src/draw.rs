//! One page of a PDF as a picture. Files come from strangers, and what reads them may loop or ask for more memory than
//! there is: here that ends this process, which draws nothing else.
//!
//! The file comes in on stdin. Out on stdout goes one line of JSON, [`Drawn`], and behind it, if there is a picture, its
//! bytes as PNG.

use std::io::{Read, Write};
use std::process::ExitCode;

use bwana_types::drawing::{
    DRAWN_FILE_MAX_BYTES, DRAWN_MEMORY_MAX_BYTES, DRAWN_WIDTHS, Drawn, Undrawn,
};
use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings, render};

/// A page is at most so many times as high as it is wide, or the other way round; a longer one is drawn smaller.
const SIDE_MAX: f32 = 4_096.0;

/// Draws what the arguments behind the flag ask for: the page, from 0, and the width in pixels.
pub(crate) fn run(page: Option<&str>, width: Option<&str>) -> ExitCode {
    limit_memory();
    let (drawn, picture) = match ask(page, width) {
        Ok((drawn, picture)) => (drawn, picture),
        Err(why) => (Drawn::not(why), Vec::new()),
    };
    let mut out = std::io::stdout().lock();
    let said = serde_json::to_writer(&mut out, &drawn).is_ok()
        && out.write_all(b"\n").is_ok()
        && out.write_all(&picture).is_ok()
        && out.flush().is_ok();
    if said {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn ask(page: Option<&str>, width: Option<&str>) -> Result<(Drawn, Vec<u8>), Undrawn> {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok());
    let page = number(page).ok_or(Undrawn::NoSuchPage)?;
    let width = number(width).unwrap_or_default();
    let width = width.clamp(*DRAWN_WIDTHS.start(), *DRAWN_WIDTHS.end());
    let mut file = Vec::new();
    let mut stdin = std::io::stdin().lock().take(DRAWN_FILE_MAX_BYTES + 1);
    stdin.read_to_end(&mut file).map_err(|_| Undrawn::Broken)?;
    if file.len() as u64 > DRAWN_FILE_MAX_BYTES {
        return Err(Undrawn::TooLarge);
    }
    drawn(file, page, width)
}

fn drawn(file: Vec<u8>, page: u32, width: u32) -> Result<(Drawn, Vec<u8>), Undrawn> {
    let pdf = Pdf::new(file).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => Undrawn::Locked,
        LoadPdfError::Decryption(_) | LoadPdfError::Invalid => Undrawn::Broken,
    })?;
    let pages = pdf.pages();
    let at = usize::try_from(page).map_err(|_| Undrawn::NoSuchPage)?;
    let found = pages.get(at).ok_or(Undrawn::NoSuchPage)?;
    let (wide, high) = found.render_dimensions();
    if !(wide.is_finite() && high.is_finite() && wide > 0.0 && high > 0.0) {
        return Err(Undrawn::Broken);
    }
    // Widths are a few thousand: they are exact as `f32`.
    let scale = (width as f32 / wide).min(SIDE_MAX / wide.max(high));
    let size = PixmapSettings {
        x_scale: scale,
        y_scale: scale,
        bg_color: WHITE,
    };
    let cache = RenderCache::new();
    let settings = InterpreterSettings::default();
    let picture = render(found, &cache, &settings, &RenderSettings::default(), &size);
    let (width, height) = (picture.width().into(), picture.height().into());
    if width == 0 || height == 0 {
        return Err(Undrawn::Broken);
    }
    let pages = u32::try_from(pages.len()).unwrap_or(u32::MAX);
    let png = picture.into_png().map_err(|_| Undrawn::Broken)?;
    Ok((Drawn::page(pages, width, height), png))
}

/// A file that unfolds into more than this ends the process here, and not the machine.
#[cfg(unix)]
fn limit_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit {
        current: Some(DRAWN_MEMORY_MAX_BYTES),
        maximum: Some(DRAWN_MEMORY_MAX_BYTES),
    };
    // Without it the host's own limit of time remains.
    let _ = setrlimit(Resource::As, limit);
}

#[cfg(not(unix))]
fn limit_memory() {}

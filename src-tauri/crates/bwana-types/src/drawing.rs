//! What passes between who shows a page of a PDF and the process that draws it.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of a file of which pages are drawn.
pub const DRAWN_FILE_MAX_BYTES: u64 = 32 * 1024 * 1024;
/// Memory the process that draws may ask for, in bytes of addresses.
pub const DRAWN_MEMORY_MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// Widths of a drawn page, in pixels.
pub const DRAWN_WIDTHS: RangeInclusive<u32> = 64..=2_048;
/// The worker's first argument when it is to draw; the page, from 0, and the width follow.
pub const DRAW_FLAG: &str = "--draw-page";

/// The line in front of a picture, or instead of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// Of the whole file; 0: it is not known.
    pub pages: u32,
    /// Of the picture, in pixels.
    pub width: u32,
    pub height: u32,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undrawn: Option<Undrawn>,
}

/// Why a page is not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Undrawn {
    /// It is no PDF, or a damaged one.
    Broken,
    /// It opens with a password alone.
    Locked,
    NoSuchPage,
    /// The file, or the picture of the page.
    TooLarge,
    /// It would take more time or memory than a page may.
    TooMuch,
    /// The program that draws is not installed.
    Unavailable,
}

impl Drawn {
    pub const fn page(pages: u32, width: u32, height: u32) -> Self {
        Self {
            pages,
            width,
            height,
            undrawn: None,
        }
    }

    pub const fn not(why: Undrawn) -> Self {
        Self {
            pages: 0,
            width: 0,
            height: 0,
            undrawn: Some(why),
        }
    }
}

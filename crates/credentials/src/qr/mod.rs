//! QR codes and the ways to draw them.
//!
//! Error correction is the lowest level: a screen is not a crumpled label, and a smaller code is
//! read from farther away. The quiet zone is the standard's four modules on every side.

mod png;
mod svg;

use qrcodegen::QrCodeEcc;

/// A code: a square of dark and light modules.
#[derive(Clone)]
pub struct QrCode(qrcodegen::QrCode);

/// What a printed character looks like: it depends on the terminal's colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// Characters are light on a dark background: blocks draw the light modules.
    LightOnDark,
    /// Characters are dark on a light background: blocks draw the dark modules.
    DarkOnLight,
}

impl QrCode {
    /// Modules of quiet zone on each side.
    pub const QUIET: usize = 4;

    /// Encodes text; `None` when it is too long for any code (2953 bytes).
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        qrcodegen::QrCode::encode_text(text, QrCodeEcc::Low).ok().map(Self)
    }

    /// Modules on a side, 21 to 177, without the quiet zone.
    #[must_use]
    pub fn size(&self) -> usize {
        usize::try_from(self.0.size()).unwrap_or_default()
    }

    /// Modules on a side with the quiet zone.
    #[must_use]
    pub fn width(&self) -> usize {
        self.size() + 2 * Self::QUIET
    }

    /// Whether a module is dark; coordinates count from the quiet zone's corner.
    #[must_use]
    pub fn dark(&self, x: usize, y: usize) -> bool {
        let place = |at: usize| Some(i32::try_from(at).ok()? - Self::QUIET as i32);
        match (place(x), place(y)) {
            (Some(x), Some(y)) => self.0.get_module(x, y),
            _ => false,
        }
    }

    /// Two modules above each other in one character of plain UTF-8, without line ends.
    #[must_use]
    pub fn half_blocks(&self, polarity: Polarity) -> Vec<String> {
        half_blocks(self.width(), |x, y| self.dark(x, y) == (polarity == Polarity::DarkOnLight))
    }

    /// Dark on light with a frame around the quiet zone: its blank lines could be lost otherwise,
    /// and the code would touch what stands above and below. Two columns wider.
    #[must_use]
    pub fn framed_half_blocks(&self) -> Vec<String> {
        let last = self.width() + 1;
        half_blocks(self.width() + 2, |x, y| {
            if x == 0 || y == 0 || x == last || y == last { true } else { self.dark(x - 1, y - 1) }
        })
    }

    /// The same with explicit colours, black on white (256-colour escapes): reads on any terminal.
    #[must_use]
    pub fn coloured_half_blocks(&self) -> Vec<String> {
        self.half_blocks(Polarity::DarkOnLight)
            .into_iter()
            .map(|line| format!("\u{1b}[38;5;16m\u{1b}[48;5;231m{line}\u{1b}[0m"))
            .collect()
    }

    /// Full size, two columns for each module, explicit black and white backgrounds.
    #[must_use]
    pub fn coloured_full_size(&self) -> Vec<String> {
        (0..self.width())
            .map(|y| {
                let mut line = String::new();
                let mut before = None;
                for x in 0..self.width() {
                    let dark = self.dark(x, y);
                    if before != Some(dark) {
                        line.push_str(if dark { "\u{1b}[48;5;16m" } else { "\u{1b}[48;5;231m" });
                        before = Some(dark);
                    }
                    line.push_str("  ");
                }
                line.push_str("\u{1b}[0m");
                line
            })
            .collect()
    }

    /// An SVG picture, black on white, one unit for each module.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::draw(self)
    }

    /// A PNG picture, black on white, `scale` pixels for each module (at least 1, at most 64).
    #[must_use]
    pub fn png(&self, scale: usize) -> Vec<u8> {
        png::draw(self, scale.clamp(1, 64))
    }
}

/// Draws a square of `width` modules; `block` tells where characters have ink. An odd height
/// leaves half a line without.
fn half_blocks(width: usize, block: impl Fn(usize, usize) -> bool) -> Vec<String> {
    let row = |upper: usize| {
        let glyph = |x| match (block(x, upper), upper + 1 < width && block(x, upper + 1)) {
            (false, false) => ' ',
            (true, false) => '▀',
            (false, true) => '▄',
            (true, true) => '█',
        };
        (0..width).map(glyph).collect()
    };
    (0..width).step_by(2).map(row).collect()
}

#[cfg(test)]
pub(crate) mod tests;

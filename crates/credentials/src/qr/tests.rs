#![allow(clippy::unwrap_used, clippy::print_stderr)]
use std::path::Path;
use std::process::Command;

use super::*;

const URL: &str = "otpauth://totp/debian-3fa:debian@web-1%20i-0123456789abcdef0?secret=5EENRV74MYRS6G4UYZMKTKSGKM&issuer=debian-3fa";

/// Grey pixels of characters drawn as a terminal with square half-cells does.
pub(crate) fn rasterise(lines: &[String], ink: u8, paper: u8) -> Vec<u8> {
    const CELL: usize = 6;
    const MARGIN: usize = 4;
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0) + 2 * MARGIN;
    let mut rows: Vec<Vec<u8>> = vec![vec![paper; columns * CELL]; MARGIN * CELL];
    for line in lines {
        for upper in [true, false] {
            let mut row = vec![paper; columns * CELL];
            for (column, character) in line.chars().enumerate() {
                let on = match character {
                    '█' => true,
                    '▀' => upper,
                    '▄' => !upper,
                    _ => false,
                };
                if on {
                    row[(MARGIN + column) * CELL..(MARGIN + column + 1) * CELL].fill(ink);
                }
            }
            rows.extend(std::iter::repeat_n(row, CELL));
        }
    }
    rows.extend(vec![vec![paper; columns * CELL]; MARGIN * CELL]);
    let mut picture = format!("P5 {} {} 255\n", columns * CELL, rows.len()).into_bytes();
    picture.extend(rows.concat());
    picture
}

/// What zbarimg reads, or `None` (said aloud) where it is not installed.
pub(crate) fn zbarimg(picture: &[u8], name: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, picture).unwrap();
    run(Path::new("zbarimg"), &path)
}

fn run(program: &Path, picture: &Path) -> Option<String> {
    match Command::new(program).args(["--raw", "-q"]).arg(picture).output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).trim_end().to_owned()),
        Err(_) => {
            assert!(std::env::var_os("CI").is_none(), "zbarimg is missing: install zbar-tools");
            eprintln!("SKIPPED: zbarimg is not installed (zbar-tools)");
            None
        }
    }
}

#[test]
fn half_blocks_decode_in_their_polarity() {
    let code = QrCode::new(URL).unwrap();
    for (polarity, ink, paper) in [(Polarity::LightOnDark, 255, 0), (Polarity::DarkOnLight, 0, 255)] {
        let lines = code.half_blocks(polarity);
        assert!(lines.iter().all(|line| line.chars().count() == code.width() && code.width() <= 80));
        if let Some(read) = zbarimg(&rasterise(&lines, ink, paper), "code.pgm") {
            assert_eq!(read, URL, "{polarity:?}");
        }
    }
}

#[test]
fn the_picture_decodes_at_every_scale() {
    for (text, scale) in [("x", 3), (URL, 4), (&"long ".repeat(100), 8)] {
        if let Some(read) = zbarimg(&QrCode::new(text).unwrap().png(scale), "code.png") {
            assert_eq!(read, text.trim_end());
        }
    }
}

#[test]
fn svg_draws_the_same_modules() {
    // Rasterised here: the only elements are one rectangle and runs "Mx yhNv1Hxz".
    let code = QrCode::new(URL).unwrap();
    let svg = code.svg();
    let path = svg.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut drawn = vec![vec![false; code.width()]; code.width()];
    for run in path.split('M').skip(1) {
        let (x, rest) = run.split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        let length: usize = rest.split('v').next().unwrap().parse().unwrap();
        let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
        drawn[y][x..x + length].fill(true);
    }
    for (y, row) in drawn.iter().enumerate() {
        for (x, dark) in row.iter().enumerate() {
            assert_eq!(*dark, code.dark(x, y), "{x},{y}");
        }
    }
}

#[test]
fn coloured_forms_hold_every_module() {
    let code = QrCode::new(URL).unwrap();
    let full = code.coloured_full_size();
    assert_eq!(full.len(), code.width());
    for (y, line) in full.iter().enumerate() {
        let (mut dark, mut x, mut rest) = (false, 0, line.as_str());
        while let Some(after) = rest.strip_prefix('\u{1b}') {
            let (escape, tail) = after.split_at(after.find('m').unwrap());
            match escape {
                "[48;5;16" => dark = true,
                "[48;5;231" => dark = false,
                other => assert_eq!(other, "[0"),
            }
            rest = &tail[1..];
            while let Some(tail) = rest.strip_prefix("  ") {
                assert_eq!(code.dark(x, y), dark, "{x},{y}");
                (x, rest) = (x + 1, tail);
            }
        }
        assert_eq!((x, rest), (code.width(), ""));
    }
    assert!(
        code.coloured_half_blocks().iter().all(|line| line.starts_with("\u{1b}[38;5;16m\u{1b}[48;5;231m"))
    );
    assert!(QrCode::new(&"x".repeat(3000)).is_none());
}

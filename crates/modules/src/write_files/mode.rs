//! `permissions` of a file (`cc_write_files.py`, `decode_perms`): a number is taken as it is, whatever
//! it looks like; text is read as octal; anything else is 0644.

use hardtack_userdata::{Finding, Kind, Value};

use crate::pytext::strip;

/// What a file gets without `permissions`, or with some that cannot be read.
pub const DEFAULT_MODE: i128 = 0o644;

/// A mode as cloud-init computes with it: not only what fits a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A number.
    Number(i128),
    /// A number beyond all bounds.
    Huge,
}

impl Mode {
    /// What the file gets: `None` where `chmod` is not called (mode 0), or refuses the number.
    #[must_use]
    pub fn bits(self) -> Option<u32> {
        match self {
            Self::Number(number) if number != 0 && !self.overflows() => u32::try_from(number & 0o7777).ok(),
            _ => None,
        }
    }

    /// True for numbers that the system call cannot take, which ends the module.
    #[must_use]
    pub fn overflows(self) -> bool {
        match self {
            Self::Number(number) => i32::try_from(number).is_err(),
            Self::Huge => true,
        }
    }
}

/// Modes that people mean. Whoever writes `644` without quotes means one of them.
const COMMON: &[u32] = &[
    0o400, 0o440, 0o444, 0o500, 0o550, 0o555, 0o600, 0o640, 0o644, 0o660, 0o664, 0o666, 0o700, 0o711, 0o750,
    0o755, 0o770, 0o775, 0o777, 0o1777, 0o2755, 0o2775, 0o4755,
];

/// The mode that `value` gives the file at `at`; what is odd about it goes to `findings`.
///
/// # Errors
/// For infinity, which ends the module before the file is written.
pub fn mode(value: Option<&Value>, at: &str, findings: &mut Vec<Finding>) -> Result<Mode, Finding> {
    let Some(value) = value else { return Ok(Mode::Number(DEFAULT_MODE)) };
    let unreadable = || {
        let shown = value.to_python_str();
        Finding::warning(
            "mode-unreadable",
            value.place,
            format!("permissions {shown} cannot be read as an octal number: the file gets 0644"),
        )
        .at(format!("{at}.permissions"))
        .with_hint("write the mode in quotes: `permissions: '0644'`")
    };
    let number = match &value.kind {
        Kind::Null => return Ok(Mode::Number(DEFAULT_MODE)),
        Kind::Bool(value) => Some(i128::from(*value)),
        Kind::Int(number) => Some(*number),
        Kind::HugeInt(_) => return Ok(Mode::Huge),
        Kind::Float(number) if number.is_infinite() => {
            return Err(Finding::error(
                "mode-out-of-range",
                value.place,
                format!("permissions {} is no file mode", value.to_python_str()),
            )
            .at(format!("{at}.permissions"))
            .with_hint("write the mode in quotes: `permissions: '0644'`"));
        }
        Kind::Float(number) if number.is_nan() => None,
        #[allow(clippy::cast_possible_truncation)]
        Kind::Float(number) => Some(*number as i128),
        Kind::Text(text) => match octal(text) {
            Octal::Number(number) => Some(number),
            Octal::Huge => return Ok(Mode::Huge),
            Octal::Not => None,
        },
        _ => None,
    };
    let Some(number) = number else {
        findings.push(unreadable());
        return Ok(Mode::Number(DEFAULT_MODE));
    };
    if let Some(meant) = meant(value, number) {
        let bits = u32::try_from(number & 0o7777).unwrap_or_default();
        findings.push(
            Finding::warning(
                "mode-is-decimal",
                value.place,
                format!(
                    "permissions {} without quotes is a decimal number: the file gets mode {bits:04o}",
                    value.to_python_str()
                ),
            )
            .at(format!("{at}.permissions"))
            .with_hint(format!("write `permissions: '{meant}'`")),
        );
    } else if !(0..=0o7777).contains(&number) {
        findings.push(
            Finding::warning(
                "mode-out-of-range",
                value.place,
                format!("permissions {} is not between 0 and 07777", value.to_python_str()),
            )
            .at(format!("{at}.permissions")),
        );
    }
    Ok(Mode::Number(number))
}

/// What somebody meant who wrote the number without quotes and without a leading zero.
fn meant(value: &Value, number: i128) -> Option<String> {
    if !matches!(value.kind, Kind::Int(_) | Kind::Float(_)) || u32::try_from(number).is_ok_and(is_common) {
        return None;
    }
    let digits = number.to_string();
    let meant = u32::from_str_radix(&digits, 8).ok().filter(|mode| is_common(*mode))?;
    Some(format!("{meant:04o}"))
}

fn is_common(mode: u32) -> bool {
    COMMON.contains(&mode)
}

enum Octal {
    Number(i128),
    Huge,
    Not,
}

/// Python's `int(text, 8)`: blanks around it, a sign, `0o` and single underscores between digits.
fn octal(text: &str) -> Octal {
    let text = strip(text);
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    // After the prefix one underscore may stand, too.
    let digits = match digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O")) {
        Some(digits) => digits.strip_prefix('_').unwrap_or(digits),
        None => digits,
    };
    let mut number = Some(0_i128);
    let mut last = '_';
    for character in digits.chars() {
        match character.to_digit(8) {
            Some(digit) => {
                number = number.and_then(|number| number.checked_mul(8)?.checked_add(i128::from(digit)));
            }
            None if character == '_' && last != '_' => {}
            None => return Octal::Not,
        }
        last = character;
    }
    if last == '_' {
        return Octal::Not;
    }
    match number {
        Some(number) => Octal::Number(if negative { -number } else { number }),
        None => Octal::Huge,
    }
}

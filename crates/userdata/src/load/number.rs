//! Numbers (`construct_yaml_int`, `construct_yaml_float`), with Python's own reading of digits.

use super::scalar::{Trouble, misfit};
use crate::value::Kind;

/// Python reads no more decimal digits (`sys.int_info.default_max_str_digits`), and writes no more.
const MOST_DIGITS: usize = 4300;

/// `construct_yaml_int`.
pub(super) fn integer(text: &str) -> Result<Kind, Trouble> {
    let refused = || Trouble::Refused(misfit("whole number", text));
    let plain = text.replace('_', "");
    let Some(first) = plain.chars().next() else { return Err(Trouble::Breaks(misfit("whole number", text))) };
    let negative = first == '-';
    let plain = plain.strip_prefix(['-', '+']).unwrap_or(&plain);
    let number = if plain == "0" {
        Number::default()
    } else if let Some(rest) = plain.strip_prefix("0b") {
        Number::parse(rest, 2).ok_or_else(refused)?
    } else if let Some(rest) = plain.strip_prefix("0x") {
        Number::parse(rest, 16).ok_or_else(refused)?
    } else if plain.is_empty() {
        return Err(Trouble::Breaks(misfit("whole number", text)));
    } else if plain.starts_with('0') {
        Number::parse(plain, 8).ok_or_else(refused)?
    } else if plain.contains(':') {
        sexagesimal(plain).ok_or_else(refused)?
    } else {
        Number::parse(plain, 10).ok_or_else(refused)?
    };
    Ok(number.signed(negative))
}

fn sexagesimal(text: &str) -> Option<Number> {
    // Every part makes the number longer.
    if text.len() > 2 * MOST_DIGITS {
        return None;
    }
    let mut sum = Number::default();
    for part in text.split(':') {
        let part = Number::parse(part, 10)?;
        // A part that has a sign comes from a tag only (`!!int 1:-5`), and is not read here.
        if part.negative {
            return None;
        }
        sum.multiply_add(60, 0);
        sum.add(&part);
    }
    Some(sum)
}

/// `construct_yaml_float`.
pub(super) fn float(text: &str) -> Result<f64, Trouble> {
    let plain = text.replace('_', "").to_lowercase();
    let Some(first) = plain.chars().next() else { return Err(Trouble::Breaks(misfit("number", text))) };
    let sign = if first == '-' { -1.0 } else { 1.0 };
    let plain = plain.strip_prefix(['-', '+']).unwrap_or(&plain);
    let read = |part: &str| part.trim().parse::<f64>().map_err(|_| Trouble::Refused(misfit("number", text)));
    let value = match plain {
        ".inf" => f64::INFINITY,
        ".nan" => return Ok(f64::NAN),
        _ if plain.contains(':') => {
            let (mut sum, mut base) = (0.0, 1.0);
            for part in plain.rsplit(':') {
                sum += read(part)? * base;
                base *= 60.0;
            }
            sum
        }
        _ => read(plain)?,
    };
    Ok(sign * value)
}

/// A whole number of any size: billions, lowest first.
#[derive(Default)]
struct Number {
    limbs: Vec<u32>,
    negative: bool,
}

const BASE: u64 = 1_000_000_000;

impl Number {
    /// Python's `int(text, radix)`, underscores gone already.
    fn parse(text: &str, radix: u32) -> Option<Self> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let prefixes: &[&str] = match radix {
            2 => &["0b", "0B"],
            8 => &["0o", "0O"],
            16 => &["0x", "0X"],
            _ => &[],
        };
        let digits = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
        if digits.is_empty() || digits.len() > MOST_DIGITS {
            return None;
        }
        let mut number = Self { limbs: Vec::new(), negative };
        for digit in digits.chars() {
            number.multiply_add(radix, digit.to_digit(radix)?);
        }
        Some(number)
    }

    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for limb in &mut self.limbs {
            carry = carry.saturating_add(u64::from(*limb).saturating_mul(u64::from(factor)));
            *limb = low(carry);
            carry /= BASE;
        }
        if carry > 0 {
            self.limbs.push(low(carry));
        }
    }

    fn add(&mut self, other: &Self) {
        let mut carry = 0_u64;
        let length = self.limbs.len().max(other.limbs.len());
        self.limbs.resize(length, 0);
        for (at, limb) in self.limbs.iter_mut().enumerate() {
            let summand = other.limbs.get(at).copied().unwrap_or_default();
            carry = carry.saturating_add(u64::from(*limb)).saturating_add(u64::from(summand));
            *limb = low(carry);
            carry /= BASE;
        }
        if carry > 0 {
            self.limbs.push(low(carry));
        }
    }

    /// The value, negated if `negative`.
    fn signed(&self, negative: bool) -> Kind {
        let mut digits = String::new();
        for limb in self.limbs.iter().rev() {
            if digits.is_empty() {
                digits = limb.to_string();
            } else {
                digits.push_str(&format!("{limb:09}"));
            }
        }
        let digits = digits.trim_start_matches('0');
        let digits = if digits.is_empty() { "0" } else { digits };
        let sign = if negative == self.negative { "" } else { "-" };
        let written = format!("{sign}{digits}");
        written.parse().map_or(Kind::HugeInt(written), Kind::Int)
    }
}

fn low(value: u64) -> u32 {
    u32::try_from(value % BASE).unwrap_or_default()
}

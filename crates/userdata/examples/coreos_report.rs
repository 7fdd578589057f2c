//! Reads user-data, one JSON string a line, and prints what it is in coreos-cloudinit's dialect, one
//! JSON object a line: for comparisons with the real program (`tests/oracle/coreos_cases.py`).
#![allow(clippy::print_stdout)]

#[path = "../tests/main/coreos_describe.rs"]
mod describe;

use std::io::BufRead as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for line in std::io::stdin().lock().lines() {
        let input: String = serde_json::from_str(&line?)?;
        println!("{}", describe::describe(&input));
    }
    Ok(())
}

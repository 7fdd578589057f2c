//! Programs.

use std::io::Write;
use std::process::{Command, Stdio};

use super::Execution;
use crate::error::AgentError;

/// Runs a program and waits for it; its output goes where people look.
pub(super) fn run(
    cx: &mut Execution<'_>,
    argv: &[String],
    stdin: Option<&[u8]>,
    environment: &[(String, String)],
) -> Result<(), AgentError> {
    let Some((program, arguments)) = argv.split_first() else { return Ok(()) };
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .spawn()
        .map_err(|error| AgentError::text(format!("cannot run {program}: {error}")))?;
    if let (Some(bytes), Some(mut pipe)) = (stdin, child.stdin.take()) {
        let _ = pipe.write_all(bytes);
    }
    let status = child.wait().map_err(|error| AgentError::text(format!("{program}: {error}")))?;
    if status.success() { Ok(()) } else { Err(AgentError::text(format!("{program}: {status}"))) }
}

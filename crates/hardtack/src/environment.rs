//! What libraries may not ask the process for themselves: variables, home, clock, randomness.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use hardtack_cloud::Environment;

use crate::random;

/// The process's own. Variables that are no Unicode are left out.
pub(crate) fn of_process() -> Arc<Environment> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Arc::new(Environment {
        variables,
        home: std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from),
        now: SystemTime::now,
        sleep: std::thread::sleep,
        random: fill,
        trace: None,
    })
}

/// The same, that says each call to a cloud on standard error.
pub(crate) fn traced(environment: &Environment) -> Arc<Environment> {
    Arc::new(Environment { trace: Some(crate::talk::line), ..environment.clone() })
}

/// Random bytes. They make client tokens and names: nothing goes on without them.
fn fill(buffer: &mut [u8]) {
    if let Err(error) = random::fill(buffer) {
        crate::talk::note(&format!("the kernel gives no random bytes: {error}"));
        std::process::abort();
    }
}

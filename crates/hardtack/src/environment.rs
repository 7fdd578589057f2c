//! What libraries may not ask the process for themselves: variables, home, clock, randomness.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
        sleep,
        random: fill,
        trace: None,
    })
}

/// Debug builds wait less where a test says so by this variable: in a test that ends runs most of the time would go by
/// looking for what was never made.
const HASTE: &str = "HARDTACK_TEST_HASTE";

fn sleep(time: Duration) {
    let hasty = cfg!(debug_assertions) && std::env::var_os(HASTE).is_some();
    std::thread::sleep(if hasty { time / 400 } else { time });
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

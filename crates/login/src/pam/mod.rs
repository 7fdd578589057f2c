//! PAM: what a service's stack asks.
//!
//! - [`line`]: lines of a service file.
//! - [`control`]: what becomes of a module's answer.
//! - [`stack`]: the modules in their order, and whether they can succeed.

mod control;
mod line;
mod stack;

pub use control::Answer;
pub use line::{Entry, Facility, Line, parse};
pub use stack::{PASSWORD_MODULES, Step, can_succeed, service_path, steps};

//! PAM: what a service's stack asks.

mod stack;

pub use stack::{
    Answer, Entry, Facility, Line, PASSWORD_MODULES, Step, can_succeed, parse, service_path, steps,
};

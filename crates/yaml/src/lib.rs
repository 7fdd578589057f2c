//! YAML with a position for every value, and diagnostics that show the line.
//!
//! ```
//! use hardtack_yaml::{Document, Limits, Value};
//!
//! let root = Document::parse("x.yaml", "mode: 0644\nseal: no\n", Limits::default()).expect("valid");
//! let mode = root.get("mode").expect("there");
//! assert_eq!((mode.span.line, mode.span.column), (1, 7));
//! assert_eq!(mode.value(), Ok(Value::Int(0o644)));
//! ```
//!
//! * `scan`, `parse`: from text to tokens to events, with the verdicts of PyYAML. `saphyr-parser` 0.3 did
//!   this before: it reads YAML 1.2, and of 3,600 mutated texts it took 98 otherwise than PyYAML (quoted
//!   text that is indented less than its block, which `yaml.dump` writes, was refused; block scalars at the
//!   end of a file got a line break that is not there). Two kinds of difference are left,
//!   on purpose: half surrogate pairs, and values that contain themselves, are refused.
//! * [`document`]: from events to [`Node`]s; anchors, aliases and merge keys, all bounded.
//! * [`scalar`]: what a scalar means under YAML 1.1, as PyYAML's `SafeLoader` reads it (cloud-init
//!   reads user-data with that, and recipes follow the same rules).
//! * [`diagnostic`]: errors with their place, and the picture of the line.
//! * [`suggest`]: "did you mean".
//!
//! Fails with [`Diagnostic`]s, as many as were found. Never panics on any text, never recurses
//! deeper than [`Limits::depth`], never allocates more than [`Limits`] says.
#![forbid(unsafe_code)]

pub mod diagnostic;
pub mod document;
mod merge;
mod node;
mod parse;
mod printable;
pub mod scalar;
mod scan;
pub mod suggest;

pub use diagnostic::{Diagnostic, Severity, Span, render, render_masked};
pub use document::{Document, Limits};
pub use node::{Kind, Node, Scalar, Style, shorten};
pub use scalar::{Looks, Value, looks};
pub use suggest::did_you_mean;

//! How a report is shown: tables, Graphviz' dot, a picture.
//!
//! Names, descriptions and keys are other people's texts: they are quoted and escaped for what they stand in.

mod dot;
mod edges;
mod svg;
mod table;
mod tables;
#[cfg(test)]
mod tests;

pub use dot::dot;
pub use svg::svg;
pub use tables::tables;

//! Builds the handbook: `cargo xtask book [DIR]`.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "../handbook/book.rs"]
mod book;

fn main() {
    let to = std::env::args_os().nth(1).map_or_else(book::usual, std::path::PathBuf::from);
    book::build(&to).unwrap_or_else(|error| panic!("{error:?}"));
    println!("{}", to.join("index.html").display());
}

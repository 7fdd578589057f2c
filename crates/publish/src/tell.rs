//! What goes on, for whoever watches.

/// Is told what goes on, from any thread.
pub trait Teller: Sync {
    /// A sentence that people should read.
    fn note(&self, text: &str);

    /// Something long goes on: `step` is its name, as "uploading", `done` and `total` are bytes of it.
    fn progress(&self, step: &str, done: u64, total: u64);

    /// Something is waited for: "snap-1 is pending, 42%".
    fn waiting(&self, text: &str);
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Teller for Silent {
    fn note(&self, _: &str) {}
    fn progress(&self, _: &str, _: u64, _: u64) {}
    fn waiting(&self, _: &str) {}
}

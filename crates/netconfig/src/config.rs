//! The configuration, whatever it was written in.

/// A network card that the machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// `eth0`, `enp1s0`.
    pub name: String,
    /// `52:54:00:12:34:56`, in lower case.
    pub mac: String,
    /// The kernel module: `virtio_net`.
    pub driver: Option<String>,
}

/// A file to write, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetFile {
    /// Absolute path.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Permission bits.
    pub mode: u32,
}

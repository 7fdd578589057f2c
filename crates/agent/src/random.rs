//! Randomness for secrets, from the operating system only.

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Bits that an old kernel must have gathered before its /dev/urandom is trusted with a secret.
const ENTROPY_BITS: u32 = 128;
const PATIENCE: Duration = Duration::from_secs(60);

/// Fills `buffer`. getrandom(2) waits until the kernel's generator is seeded; kernels before 3.17
/// do not know it, and there the same wait is made by looking at what the kernel has gathered.
pub(crate) fn fill(buffer: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(0) => return Err(io::Error::other("the kernel gave no random bytes")),
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(Errno::NOSYS) => return from_device(buffer),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn from_device(buffer: &mut [u8]) -> io::Result<()> {
    let started = Instant::now();
    loop {
        let gathered = std::fs::read_to_string("/proc/sys/kernel/random/entropy_avail")
            .ok()
            .and_then(|text| text.trim().parse::<u32>().ok());
        match gathered {
            Some(bits) if bits < ENTROPY_BITS && started.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(200));
            }
            Some(bits) if bits < ENTROPY_BITS => {
                return Err(io::Error::other(format!(
                    "the kernel has gathered {bits} bits of randomness after {} s, and a secret needs {ENTROPY_BITS}",
                    PATIENCE.as_secs()
                )));
            }
            _ => break,
        }
    }
    File::open("/dev/urandom")?.read_exact(buffer)
}

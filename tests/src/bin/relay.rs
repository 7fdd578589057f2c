//! `relay PORT`: standard input and output become a connection to a port of this host's loopback address.
//!
//! QEMU starts one for each connection of the guest to the metadata service (`guestfwd=…-cmd:`): what the
//! guest's network card sees as 169.254.169.254 is a server in the test.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;

fn main() -> ExitCode {
    let port = std::env::args().nth(1).and_then(|word| word.parse::<u16>().ok());
    let Some(stream) = port.and_then(|port| TcpStream::connect(("127.0.0.1", port)).ok()) else {
        return ExitCode::from(2);
    };
    let Ok(mut requests) = stream.try_clone() else { return ExitCode::FAILURE };
    std::thread::spawn(move || {
        let _ = copy(&mut io::stdin().lock(), &mut requests);
        let _ = requests.shutdown(Shutdown::Write);
    });
    // When the answer has ended so has the connection, whatever the guest would still say.
    let mut answers = stream;
    match copy(&mut answers, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Everything at once as it comes: `io::copy` into standard output waits for the end of a line.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    loop {
        let count = from.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        to.write_all(bytes)?;
        to.flush()?;
    }
}

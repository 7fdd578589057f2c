//! The socket `control`: whoever owns the instance asks there for its end.

use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::time::Duration;

/// Whoever connects and says nothing does not keep the supervisor from its work.
const PATIENCE: Duration = Duration::from_millis(200);
/// At one look.
const MOST: usize = 16;

/// Whether somebody has asked for the end since the last look.
pub(super) fn asked_to_end(listener: &UnixListener) -> bool {
    let mut asked = false;
    for _ in 0..MOST {
        let Ok((mut stream, _)) = listener.accept() else { break };
        let ready = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
        let mut word = [0; 16];
        let length = ready.and_then(|()| stream.read(&mut word)).unwrap_or(0);
        asked |= word.get(..length).is_some_and(|word| word.starts_with(b"terminate"));
    }
    asked
}

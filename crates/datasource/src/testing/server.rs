//! A cloud behind a port: HTTP/1.1 as far as metadata services speak it, one answer for each connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::cloud::{Asked, Cloud, Reply};

/// How long a thread sleeps before it looks whether it is still wanted.
const NAP: Duration = Duration::from_millis(5);
/// The head of a request.
const LONGEST: usize = 64 << 10;

/// A server, until it is dropped.
pub struct Server {
    address: SocketAddr,
    cloud: Arc<Cloud>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `cloud` at a free port of this machine.
    ///
    /// # Errors
    /// When there is none.
    pub fn start(cloud: Cloud) -> io::Result<Self> {
        Self::listen(cloud, TcpListener::bind(("127.0.0.1", 0))?)
    }

    /// Serves `cloud` at `listener`.
    ///
    /// # Errors
    /// When it cannot be asked for connections.
    pub fn listen(cloud: Cloud, listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (cloud, stop) = (Arc::new(cloud), Arc::new(AtomicBool::new(false)));
        let (served, stopped) = (Arc::clone(&cloud), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (cloud, stop) = (Arc::clone(&served), Arc::clone(&stopped));
                // What goes wrong with one connection is the client's to see.
                std::thread::spawn(move || serve(stream, &cloud, &stop));
            }
        });
        Ok(Self { address, cloud, stop, thread: Some(thread) })
    }

    /// `http://127.0.0.1:12345`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it serves.
    #[must_use]
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // One more, so that it looks whether it is still wanted.
        let _ = TcpStream::connect(("127.0.0.1", self.address.port()));
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, the test has failed already.
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, cloud: &Cloud, stop: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    // The request is looked at, not read: a connection that is closed with something unread is reset.
    let Some((head, length)) = peek(&stream, stop)? else { return Ok(()) };
    let reply = cloud.reply(&head);
    if reply == Reply::Reset {
        return Ok(());
    }
    let mut request = vec![0; length];
    stream.read_exact(&mut request)?;
    let bytes = match reply {
        Reply::Answer { status, headers, body } => {
            let mut bytes = format!(
                "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n",
                body.len()
            );
            for (name, value) in headers {
                bytes.push_str(&format!("{name}: {value}\r\n"));
            }
            [bytes.as_bytes(), b"\r\n", &body].concat()
        }
        Reply::Raw(bytes) => bytes,
        Reply::Hang | Reply::Reset => {
            // Until the client has enough of it, or the test is over.
            stream.set_read_timeout(Some(NAP))?;
            while !stop.load(Ordering::Relaxed) {
                match stream.read(&mut [0; 1]) {
                    Ok(0) => break,
                    Err(error)
                        if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
                    {
                        break;
                    }
                    Ok(_) | Err(_) => {}
                }
            }
            return Ok(());
        }
    };
    stream.write_all(&bytes)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    // The client reads all of it before the connection goes.
    io::copy(&mut stream.take(1 << 20), &mut io::sink())?;
    Ok(())
}

/// The request at the head of the stream, and how long it is; none when the client went.
fn peek(stream: &TcpStream, stop: &AtomicBool) -> io::Result<Option<(Asked, usize)>> {
    let mut bytes = vec![0; LONGEST];
    let mut before = 0;
    while !stop.load(Ordering::Relaxed) {
        let length = stream.peek(&mut bytes)?;
        let head = bytes.get(..length).unwrap_or_default();
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(head.get(..end).unwrap_or_default()).into_owned();
            return Ok(asked(&head).map(|asked| (asked, end + 4)));
        }
        if length == 0 || length == LONGEST {
            return Ok(None);
        }
        if length == before {
            std::thread::sleep(NAP);
        }
        before = length;
    }
    Ok(None)
}

fn asked(head: &str) -> Option<Asked> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Asked { method, path, headers })
}

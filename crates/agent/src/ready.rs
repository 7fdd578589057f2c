//! Does SSH answer? The kernel's tables of listening sockets say whether anybody listens, and then
//! one connection says whether it is an SSH server (RFC 4253, 4.2: it speaks first).
//!
//! No connection is tried before somebody listens: servers log and count those.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::host::Host;

const PAUSE: Duration = Duration::from_millis(500);
/// A server behind socket activation starts only now, perhaps on a busy machine.
const ANSWER: Duration = Duration::from_secs(15);
/// `st` of a listening socket in /proc/net/tcp.
const LISTEN: &str = "0A";

/// Waits until an SSH server answers on one of `ports`; the port, or `None` after `patience`.
pub(crate) fn wait(host: &Host, ports: &[u16], patience: Duration) -> Option<u16> {
    let started = Instant::now();
    loop {
        for address in listening(host) {
            if ports.contains(&address.port()) && (!host.is_live() || answers(address)) {
                return Some(address.port());
            }
        }
        if started.elapsed() >= patience {
            return None;
        }
        thread::sleep(PAUSE);
    }
}

/// The ports of sshd_config(5) and its drop-ins, and 22.
pub(crate) fn ports(host: &Host) -> Vec<u16> {
    const MAIN: &str = "/etc/ssh/sshd_config";
    const DROP_INS: &str = "/etc/ssh/sshd_config.d";
    let mut paths: Vec<String> = host
        .names(DROP_INS)
        .into_iter()
        .filter(|name| name.ends_with(".conf"))
        .map(|name| format!("{DROP_INS}/{name}"))
        .collect();
    paths.push(MAIN.to_owned());
    let mut ports = Vec::new();
    for path in paths {
        let text = host.read_text(&path).ok().flatten().unwrap_or_default();
        for line in text.lines() {
            let mut words =
                line.split(|c: char| c.is_whitespace() || c == '=').filter(|word| !word.is_empty());
            let is_port = words.next().is_some_and(|word| word.eq_ignore_ascii_case("port"));
            if let Some(port) =
                words.next().filter(|_| is_port).and_then(|word| word.trim_matches('"').parse().ok())
            {
                ports.push(port);
            }
        }
    }
    // Also where another port is configured: under socket activation the socket's unit decides.
    if !ports.contains(&22) {
        ports.push(22);
    }
    ports
}

/// Every listening TCP socket.
fn listening(host: &Host) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = host.read_text(table).ok().flatten().unwrap_or_default();
        found.extend(text.lines().skip(1).filter_map(parse));
    }
    found
}

/// `   0: 0100007F:0016 00000000:0000 0A …`: the address as the machine's own words.
fn parse(line: &str) -> Option<SocketAddr> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::new();
    for word in address.as_bytes().chunks(8) {
        bytes.extend(u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?.to_ne_bytes());
    }
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

/// Whether what listens there greets as SSH does.
fn answers(mut address: SocketAddr) -> bool {
    if address.ip().is_unspecified() {
        let local = match address.ip() {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        address.set_ip(local);
    }
    let greeting = || -> std::io::Result<[u8; 4]> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    greeting().is_ok_and(|bytes| &bytes == b"SSH-")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let v4 =
            "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1";
        assert_eq!(parse(v4), Some("0.0.0.0:22".parse().unwrap()));
        let established = v4.replace(" 0A ", " 01 ");
        assert_eq!(parse(&established), None);
        if cfg!(target_endian = "little") {
            let local = v4.replace("00000000:0016", "0100007F:1F90");
            assert_eq!(parse(&local), Some("127.0.0.1:8080".parse().unwrap()));
            let v6 = v4.replacen("00000000:0016", "00000000000000000000000001000000:0016", 1);
            assert_eq!(parse(&v6), Some("[::1]:22".parse().unwrap()));
        }
        for damaged in ["", "x", "0: 0:0", "0: 00000000 0 0A", "0: é0000000:0016 0 0A"] {
            assert_eq!(parse(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn a_server_is_known_by_its_greeting() {
        use std::io::Write;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            for greeting in [&b"SSH-2.0-x\r\n"[..], b"HTTP/1.1 400\r\n"] {
                listener.accept().unwrap().0.write_all(greeting).unwrap();
            }
        });
        assert!(answers(address));
        assert!(!answers(address));
        server.join().unwrap();
    }

    #[test]
    fn ports_come_from_the_configuration() {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::new(directory.path());
        assert_eq!(ports(&host), [22]);
        std::fs::create_dir_all(directory.path().join("etc/ssh/sshd_config.d")).unwrap();
        std::fs::write(
            directory.path().join("etc/ssh/sshd_config"),
            "#Port 1\nport 2222\nPermitRootLogin no\n",
        )
        .unwrap();
        std::fs::write(directory.path().join("etc/ssh/sshd_config.d/a.conf"), "Port=22022\n").unwrap();
        std::fs::write(directory.path().join("etc/ssh/sshd_config.d/a.conf~"), "Port 1\n").unwrap();
        assert_eq!(ports(&host), [22022, 2222, 22]);
    }
}

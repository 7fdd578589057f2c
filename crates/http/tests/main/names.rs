//! Names, asked of a name server that does as a test says.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::mpsc::{Receiver, channel};

use hardtack_http::{Client, Error, Limits, Method};

use crate::support::{LONG, SHORT, answers, send};

/// One question as it came: its message, the name, 1 or 28.
struct Asked<'a> {
    message: &'a [u8],
    name: String,
    kind: u8,
}

impl Asked<'_> {
    fn read(message: &[u8]) -> Asked<'_> {
        let (mut name, mut at) = (String::new(), 12);
        while message[at] != 0 {
            let end = at + 1 + usize::from(message[at]);
            name.push_str(std::str::from_utf8(&message[at + 1..end]).unwrap());
            name.push('.');
            at = end;
        }
        assert_eq!(message.len(), at + 5);
        Asked { message, name, kind: message[at + 2] }
    }

    /// An answer with these flags and records.
    fn reply(&self, flags: u16, records: &[Vec<u8>]) -> Vec<u8> {
        let mut reply = self.message.to_vec();
        reply[2..4].copy_from_slice(&flags.to_be_bytes());
        reply[7] = records.len() as u8;
        reply.extend(records.concat());
        reply
    }

    /// 127.0.0.1 for the first kind, nothing for the other.
    fn home(&self) -> Vec<u8> {
        match self.kind {
            1 => self.reply(0x8180, &[record(b"\xc0\x0c", 1, &[127, 0, 0, 1])]),
            _ => self.reply(0x8180, &[]),
        }
    }
}

fn record(owner: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    [owner, &[0, kind, 0, 1, 0, 0, 0, 60, 0, data.len() as u8], data].concat()
}

fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

/// What a name server sends for a question, in order.
type Serve = fn(&Asked<'_>) -> Vec<Vec<u8>>;

/// Name servers at 127.0.0.1, 127.0.0.2… on one port, and a client that asks them; what they were asked.
struct Names {
    root: tempfile::TempDir,
    port: u16,
    asked: Receiver<(usize, String)>,
    web: u16,
    _requests: Receiver<String>,
}

impl Names {
    fn new(servers: &[Serve], options: &str) -> Self {
        let (tell, asked) = channel();
        let mut port = 0;
        let mut conf = format!("{options}\n");
        for (index, serve) in servers.iter().enumerate() {
            let address = format!("127.0.0.{}", index + 1);
            let socket = UdpSocket::bind((address.parse::<std::net::Ipv4Addr>().unwrap(), port)).unwrap();
            port = socket.local_addr().unwrap().port();
            conf.push_str(&format!("nameserver {address}\n"));
            let (serve, tell) = (*serve, tell.clone());
            std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok((count, from)) = socket.recv_from(&mut buffer) {
                    let question = Asked::read(&buffer[..count]);
                    let _ = tell.send((index, format!("{}{}", question.name, question.kind)));
                    for message in serve(&question) {
                        let _ = socket.send_to(&message, from);
                    }
                }
            });
        }
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/resolv.conf"), conf).unwrap();
        let (web, _requests) = answers(|_| "HTTP/1.1 200 OK\r\n\r\n".to_owned());
        Self { root, port, asked, web: web.port(), _requests }
    }

    fn get(&self, host: &str, limits: Limits) -> Result<u16, Error> {
        let client = Client::new(self.root.path()).with_dns_port(self.port);
        let url = format!("http://{host}:{}/", self.web);
        send(&client, Method::Get, &url, &[], b"", limits).map(|response| response.status)
    }

    /// The names that were asked for over UDP, without the kinds.
    fn names(&self) -> Vec<(usize, String)> {
        let mut names: Vec<_> = self.asked.try_iter().filter(|(_, name)| !name.ends_with(".28")).collect();
        names.iter_mut().for_each(|(_, name)| *name = name.trim_end_matches(".1").to_owned());
        names
    }
}

#[test]
fn an_address() {
    let names = Names::new(&[|asked| vec![asked.home()]], "");
    assert_eq!(names.get("Web.Test", LONG), Ok(200));
    assert_eq!(names.get("web.test.", LONG), Ok(200));
    assert_eq!(names.names(), [(0, "web.test".to_owned()), (0, "web.test".to_owned())]);
}

#[test]
fn hosts_come_first() {
    let names = Names::new(&[|_| vec![]], "");
    fs::write(names.root.path().join("etc/hosts"), "127.0.0.1 web.test\n").unwrap();
    assert_eq!(names.get("web.test", LONG), Ok(200));
    assert_eq!(names.get("localhost", LONG), Ok(200));
    assert!(names.names().is_empty());
}

#[test]
fn aliases() {
    let names = Names::new(
        &[|asked| match (asked.name.as_str(), asked.kind) {
            // The address comes along, or has to be asked for.
            ("a.test.", 1) => {
                let alias = record(b"\xc0\x0c", 5, &wire("B.test"));
                vec![asked.reply(0x8180, &[alias, record(&wire("b.test"), 1, &[127, 0, 0, 1])])]
            }
            ("c.test.", _) => vec![asked.reply(0x8180, &[record(b"\xc0\x0c", 5, &wire("d.test"))])],
            ("d.test.", _) => vec![asked.home()],
            ("x.test.", _) => vec![asked.reply(0x8180, &[record(b"\xc0\x0c", 5, &wire("y.test"))])],
            ("y.test.", _) => vec![asked.reply(0x8180, &[record(b"\xc0\x0c", 5, &wire("x.test"))])],
            _ => vec![asked.reply(0x8180, &[])],
        }],
        "",
    );
    assert_eq!(names.get("a.test", LONG), Ok(200));
    assert_eq!(names.get("c.test", LONG), Ok(200));
    let error = names.get("x.test", LONG).unwrap_err().to_string();
    assert!(error.contains("x.test: no name server helps (more than 8 aliases)"), "{error}");
}

#[test]
fn the_search_list() {
    let names = Names::new(
        &[|asked| match asked.name.as_str() {
            "web.b.test." => vec![asked.home()],
            "empty." => vec![asked.reply(0x8180, &[])],
            _ => vec![asked.reply(0x8183, &[])],
        }],
        "search a.test b.test",
    );
    assert_eq!(names.get("web", LONG), Ok(200));
    assert_eq!(names.names(), [(0, "web.a.test".to_owned()), (0, "web.b.test".to_owned())]);
    let error = names.get("empty", LONG).unwrap_err();
    assert_eq!(error.to_string(), "empty: there is no such name, or it has no address (127.0.0.1 was asked)");
    assert!(names.get("none.x", LONG).is_err());
}

#[test]
fn the_next_server() {
    let works: Serve = |asked| vec![asked.home()];
    let broken: [Serve; 6] = [
        |_| vec![],
        |asked| vec![asked.reply(0x8182, &[])],
        |asked| vec![asked.reply(0x8185, &[])],
        |asked| vec![asked.message[..5].to_vec(), vec![], vec![0xff; 600]],
        // A loop of pointers.
        |asked| vec![asked.reply(0x8180, &[record(b"\xc0\x0c", 5, b"\xc0\x30\xc0\x2e")])],
        // Another question's answer.
        |asked| {
            let mut other = asked.home();
            other[13] ^= 1;
            vec![other]
        },
    ];
    for (number, serve) in broken.into_iter().enumerate() {
        let names = Names::new(&[serve, works], "options timeout:1");
        assert_eq!(names.get("web.test", LONG), Ok(200), "{number}");
        assert_eq!(names.names(), [(0, "web.test".to_owned()), (1, "web.test".to_owned())], "{number}");
    }
}

#[test]
fn forged_answers_are_passed_over() {
    let names = Names::new(
        &[|asked| {
            let mut number = asked.reply(0x8180, &[record(b"\xc0\x0c", 1, &[192, 0, 2, 1])]);
            let mut question = number.clone();
            number[0] ^= 0xff;
            question[2] = 1;
            vec![number, question, asked.home()]
        }],
        "",
    );
    assert_eq!(names.get("web.test", LONG), Ok(200));
}

#[test]
fn nobody_knows() {
    let names = Names::new(&[|_| vec![], |asked| vec![asked.reply(0x8182, &[])]], "options attempts:1");
    let error = names.get("web.test", SHORT).unwrap_err().to_string();
    let wanted = "web.test: no name server helps (127.0.0.1 does not answer; 127.0.0.2: the server failed)";
    assert_eq!(error, wanted);
    fs::write(names.root.path().join("etc/resolv.conf"), "nameserver 127.0.0.9\n").unwrap();
    let error = names.get("web.test", LONG).unwrap_err().to_string();
    assert_eq!(error, "web.test: no name server helps (127.0.0.9: connection refused)");
    fs::write(names.root.path().join("etc/resolv.conf"), "search x\n").unwrap();
    let error = names.get("web.test", LONG).unwrap_err().to_string();
    assert!(error.contains("/etc/resolv.conf names no server"), "{error}");
    // What systemd-resolved knows.
    fs::create_dir_all(names.root.path().join("run/systemd/resolve")).unwrap();
    fs::write(names.root.path().join("run/systemd/resolve/resolv.conf"), "nameserver 127.0.0.2\n").unwrap();
    let error = names.get("web.test", SHORT).unwrap_err().to_string();
    assert!(error.contains("127.0.0.2: the server failed"), "{error}");
}

#[test]
fn half_an_answer() {
    // Servers that never say anything about IPv6.
    let names = Names::new(&[|asked| if asked.kind == 1 { vec![asked.home()] } else { vec![] }], "");
    assert_eq!(names.get("web.test", LONG), Ok(200));
}

#[test]
fn over_tcp() {
    let names = Names::new(&[|asked| vec![asked.reply(0x8380, &[])]], "");
    let listener = TcpListener::bind(("127.0.0.1", names.port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut message).unwrap();
            let reply = Asked::read(&message).home();
            stream.write_all(&(reply.len() as u16).to_be_bytes()).unwrap();
            stream.write_all(&reply).unwrap();
        }
    });
    assert_eq!(names.get("web.test", LONG), Ok(200));
    assert_eq!(names.names().len(), 1);
    let conf = names.root.path().join("etc/resolv.conf");
    fs::write(conf, "nameserver 127.0.0.1\noptions use-vc\n").unwrap();
    assert_eq!(names.get("web.test", LONG), Ok(200));
    assert!(names.names().is_empty());
}

#[test]
fn an_address_that_does_not_answer_leaves_time_for_the_next() {
    let names = Names::new(
        &[|asked| match asked.kind {
            // Nobody listens at the first two.
            1 => {
                let addresses = [[127, 0, 0, 9], [127, 0, 0, 8], [127, 0, 0, 1]];
                vec![asked.reply(0x8180, &addresses.map(|address| record(b"\xc0\x0c", 1, &address)))]
            }
            _ => vec![asked.reply(0x8180, &[])],
        }],
        "",
    );
    assert_eq!(names.get("web.test", LONG), Ok(200));
}

//! From a host's name to addresses, without a C library: literals, `/etc/hosts`, then the servers of
//! `/etc/resolv.conf`, asked for IPv4 and IPv6 addresses at one time.
//!
//! Order and search list are glibc's (resolv.conf(5)). Unlike there, the time for one server is also bounded
//! by what is left of the request's: a dead first server leaves time for the second. A name server on the
//! machine, like systemd-resolved's at 127.0.0.53, is asked like any other.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use crate::deadline::{Deadline, Timed, is_late};
use crate::dns::{ALIASES, Answer, Kind, Name, Question};
use crate::error::said;
use crate::resolv_conf::ResolvConf;
use crate::{Error, hosts, url};

/// Bytes that are read of a configuration file.
const FILE: u64 = 1 << 20;
/// Bytes of an answer over UDP; without extensions there are 512 at most.
const DATAGRAM: usize = 4 << 10;
/// How long the other kind of address is waited for once there is one.
const GRACE: Duration = Duration::from_millis(250);
/// The least time for one server.
const LEAST: Duration = Duration::from_millis(200);

/// Where the machine's files are, and which port name servers have.
pub(crate) struct Resolver<'a> {
    pub(crate) root: &'a Path,
    pub(crate) port: u16,
}

/// What one server, or all of them, say to one name.
enum Verdict {
    Found(Vec<IpAddr>),
    /// No such name, or no address.
    Absent,
    Failed(String),
}

impl Resolver<'_> {
    /// The addresses of `host` as [`crate::Url::host`] has it, IPv4 first.
    pub(crate) fn addresses(
        &self,
        host: &str,
        port: u16,
        deadline: Deadline,
    ) -> Result<Vec<SocketAddr>, Error> {
        let fail = |why: String| Error::Name { host: host.to_owned(), why };
        if let Some((address, zone)) = host.split_once('%') {
            let address: Ipv6Addr =
                address.parse().map_err(|_| fail("this is no IPv6 address".to_owned()))?;
            let zone = self.zone(zone).map_err(fail)?;
            return Ok(vec![SocketAddrV6::new(address, port, 0, zone).into()]);
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let listed = hosts::addresses(&self.text("etc/hosts"), host);
        let found = if listed.is_empty() { self.search(host, deadline).map_err(fail)? } else { listed };
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// The number of a network interface, which the kernel wants with a link-local address.
    fn zone(&self, zone: &str) -> Result<u32, String> {
        let number = zone.parse().ok().or_else(|| {
            url::is_interface(zone)
                .then(|| self.text(&format!("sys/class/net/{zone}/ifindex")))
                .and_then(|text| text.trim().parse().ok())
        });
        number.ok_or_else(|| format!("there is no network interface {zone}"))
    }

    /// A file below the root, empty when there is none.
    fn text(&self, path: &str) -> String {
        let mut bytes = Vec::new();
        if let Ok(file) = File::open(self.root.join(path)) {
            // What was read before an error is as good as a shorter file.
            let _ = file.take(FILE).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn search(&self, host: &str, deadline: Deadline) -> Result<Vec<IpAddr>, String> {
        let mut conf = ResolvConf::parse(&self.text("etc/resolv.conf"));
        if conf.servers.is_empty() {
            // systemd-resolved knows servers, and the image asks it through NSS.
            conf = ResolvConf::parse(&self.text("run/systemd/resolve/resolv.conf"));
        }
        let servers: Vec<SocketAddr> = conf.servers.iter().filter_map(|server| self.server(server)).collect();
        if servers.is_empty() {
            return Err("/etc/resolv.conf names no server: is the network up?".to_owned());
        }
        let mut failed = None;
        for candidate in conf.candidates(host) {
            let Some(name) = Name::new(&candidate) else { continue };
            match lookup(&conf, &servers, name, deadline) {
                Verdict::Found(addresses) => return Ok(addresses),
                Verdict::Absent => {}
                Verdict::Failed(why) => failed = Some(why),
            }
            if deadline.left().is_none() {
                break;
            }
        }
        let asked: Vec<&str> = conf.servers.iter().map(String::as_str).collect();
        Err(match failed {
            Some(why) => format!("no name server helps ({why})"),
            None => format!("there is no such name, or it has no address ({} was asked)", asked.join(", ")),
        })
    }

    fn server(&self, text: &str) -> Option<SocketAddr> {
        match text.split_once('%') {
            Some((address, zone)) => {
                let zone = self.zone(zone).ok()?;
                Some(SocketAddrV6::new(address.parse().ok()?, self.port, 0, zone).into())
            }
            None => Some(SocketAddr::new(text.parse().ok()?, self.port)),
        }
    }
}

/// Follows aliases whose addresses the servers do not tell at once.
fn lookup(conf: &ResolvConf, servers: &[SocketAddr], mut name: Name, deadline: Deadline) -> Verdict {
    for _ in 0..=ALIASES {
        match rounds(conf, servers, &name, deadline) {
            (verdict, None) => return verdict,
            (_, Some(alias)) => name = alias,
        }
    }
    Verdict::Failed(format!("more than {ALIASES} aliases"))
}

/// Asks one server after the other, all of them as often as the file says.
fn rounds(
    conf: &ResolvConf,
    servers: &[SocketAddr],
    name: &Name,
    deadline: Deadline,
) -> (Verdict, Option<Name>) {
    let mut said: Vec<String> = Vec::new();
    for _ in 0..conf.attempts {
        said.clear();
        for (index, server) in servers.iter().enumerate() {
            let Some(left) = deadline.left() else {
                said.push(format!("no time is left for {}", server.ip()));
                return (Verdict::Failed(said.join("; ")), None);
            };
            let others = u32::try_from(servers.len() - index + 1).unwrap_or(u32::MAX);
            let wait = Deadline::after(conf.timeout.min((left / others).max(LEAST))).or(deadline);
            match ask(*server, name, conf.tcp, wait) {
                Ok([first, second]) => match judge(first, second) {
                    Ok(outcome) => return outcome,
                    Err(why) => said.push(format!("{}: {why}", server.ip())),
                },
                Err(error) if is_late(&error) => said.push(format!("{} does not answer", server.ip())),
                Err(error) => said.push(format!("{}: {}", server.ip(), self::said(&error))),
            }
        }
    }
    (Verdict::Failed(said.join("; ")), None)
}

/// Both answers of one server; an error when another should be asked.
fn judge(first: Option<Answer>, second: Option<Answer>) -> Result<(Verdict, Option<Name>), String> {
    let mut addresses = Vec::new();
    let mut alias = None;
    let mut refused = None;
    for answer in [&first, &second].into_iter().flatten() {
        match answer {
            Answer::Addresses(found) => addresses.extend(found),
            Answer::Alias(name) => alias = Some(name.clone()),
            Answer::Refused(code) => refused = Some(*code),
            Answer::Nothing | Answer::NoName | Answer::Truncated => {}
        }
    }
    if !addresses.is_empty() {
        return Ok((Verdict::Found(addresses), None));
    }
    if alias.is_some() {
        return Ok((Verdict::Absent, alias));
    }
    if first == Some(Answer::NoName) || second == Some(Answer::NoName) {
        return Ok((Verdict::Absent, None));
    }
    match (refused, first.is_some() && second.is_some()) {
        (Some(2), _) => Err("the server failed".to_owned()),
        (Some(5), _) => Err("the server refuses".to_owned()),
        (Some(code), _) => Err(format!("the server answers with error {code}")),
        (None, true) => Ok((Verdict::Absent, None)),
        (None, false) => Err("the server tells only half".to_owned()),
    }
}

/// One server's answers for both kinds, as far as they come.
fn ask(server: SocketAddr, name: &Name, tcp: bool, deadline: Deadline) -> io::Result<[Option<Answer>; 2]> {
    let mut questions = Vec::with_capacity(2);
    for kind in [Kind::A, Kind::Aaaa] {
        questions.push(Question { id: random()?, name: name.clone(), kind });
    }
    let mut answers = [None, None];
    if !tcp {
        over_udp(server, &questions, &mut answers, deadline)?;
    }
    for (question, answer) in questions.iter().zip(&mut answers) {
        if tcp || *answer == Some(Answer::Truncated) {
            *answer = over_tcp(server, question, deadline)?;
        }
    }
    Ok(answers)
}

fn over_udp(
    server: SocketAddr,
    questions: &[Question],
    answers: &mut [Option<Answer>; 2],
    mut deadline: Deadline,
) -> io::Result<()> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Connected, the kernel takes packets of this server only, from a port that nobody can know.
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(server)?;
    for question in questions {
        socket.send(&question.message())?;
    }
    let mut buffer = [0; DATAGRAM];
    while answers.iter().any(Option::is_none) {
        let received = deadline.wait().and_then(|left| {
            socket.set_read_timeout(Some(left))?;
            socket.recv(&mut buffer)
        });
        let count = match received {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // The other half is better than nothing.
            Err(_) if answers.iter().any(Option::is_some) => return Ok(()),
            Err(error) => return Err(error),
        };
        let message = buffer.get(..count).unwrap_or_default();
        for (question, answer) in questions.iter().zip(answers.iter_mut()) {
            if answer.is_none() {
                *answer = question.answer(message);
                match answer {
                    Some(Answer::Addresses(_)) => deadline = deadline.or(Deadline::after(GRACE)),
                    Some(Answer::NoName) => return Ok(()),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

fn over_tcp(server: SocketAddr, question: &Question, deadline: Deadline) -> io::Result<Option<Answer>> {
    let mut stream = TcpStream::connect_timeout(&server, deadline.wait()?)?;
    let mut stream = Timed::new(&mut stream, deadline, deadline);
    let message = question.message();
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.send(&[&length.to_be_bytes()[..], &message].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = Vec::new();
    stream.take(u64::from(u16::from_be_bytes(length))).read_to_end(&mut message)?;
    Ok(question.answer(&message).filter(|answer| *answer != Answer::Truncated))
}

/// A number that nobody can guess. At boot the kernel may not have gathered enough for a key yet, and
/// /dev/urandom does not wait for that.
fn random() -> io::Result<u16> {
    let mut bytes = [0; 2];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u16::from_be_bytes(bytes))
}

//! `/etc/resolv.conf` (resolv.conf(5)): who is asked, for what, how long.

use std::time::Duration;

/// Name servers that are asked, MAXNS of glibc.
const SERVERS: usize = 3;
/// Domains that are tried behind a short name.
const SEARCH: usize = 6;

/// What the file says, with glibc's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// Addresses as they stand there, zones with them: `fe80::1%eth0`.
    pub servers: Vec<String>,
    /// Domains that stand behind a name that has fewer than `dots` dots.
    pub search: Vec<String>,
    /// `ndots`.
    pub dots: usize,
    /// How long one server is waited for.
    pub timeout: Duration,
    /// How often all are asked.
    pub attempts: u32,
    /// Ask over TCP at once (`use-vc`).
    pub tcp: bool,
}

impl Default for ResolvConf {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            search: Vec::new(),
            dots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            tcp: false,
        }
    }
}

impl ResolvConf {
    /// Reads the file's text. What is not known is passed over, as glibc does.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            // `#` and `;` begin a comment only at the start of a line.
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") if conf.servers.len() < SERVERS => {
                    conf.servers.extend(words.next().map(str::to_owned));
                }
                // The last of these lines wins.
                Some("search") => conf.search = words.take(SEARCH).map(domain).collect(),
                Some("domain") => conf.search = words.take(1).map(domain).collect(),
                Some("options") => words.for_each(|word| conf.option(word)),
                _ => {}
            }
        }
        conf.search.retain(|domain| !domain.is_empty());
        conf
    }

    fn option(&mut self, word: &str) {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let number = value.parse::<u32>().ok();
        match (name, number) {
            ("ndots", Some(dots)) => self.dots = dots.min(15) as usize,
            ("timeout", Some(seconds)) => self.timeout = Duration::from_secs(u64::from(seconds.clamp(1, 30))),
            ("attempts", Some(times)) => self.attempts = times.clamp(1, 5),
            ("use-vc", _) => self.tcp = true,
            _ => {}
        }
    }

    /// The names to ask for, in order: `name` itself, and with the search domains.
    #[must_use]
    pub fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(whole) = name.strip_suffix('.') {
            return vec![whole.to_owned()];
        }
        let mut names: Vec<String> = self.search.iter().map(|domain| format!("{name}.{domain}")).collect();
        let at = if name.matches('.').count() >= self.dots { 0 } else { names.len() };
        names.insert(at, name.to_owned());
        names
    }
}

/// A domain without dots around it; `.` is the root, behind which nothing is added.
fn domain(word: &str) -> String {
    word.trim_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::ResolvConf;

    #[test]
    fn keywords() {
        let conf = ResolvConf::parse(
            "# made by something\n; nameserver 9.9.9.9\ndomain old.example\nnameserver 10.0.0.1\n\
             nameserver fe80::1%eth0 # x\nsearch Example.COM. b.example .\nnameserver 1\nnameserver 2\n\
             options ndots:2 timeout:1 rotate attempts:9 edns0 use-vc\nsortlist 1\n",
        );
        assert_eq!(conf.servers, ["10.0.0.1", "fe80::1%eth0", "1"]);
        assert_eq!(conf.search, ["example.com", "b.example"]);
        assert_eq!((conf.dots, conf.timeout, conf.attempts, conf.tcp), (2, Duration::from_secs(1), 5, true));
        assert_eq!(ResolvConf::parse("options timeout:x ndots timeout:-1"), ResolvConf::default());
    }

    #[test]
    fn what_is_asked_for() {
        let conf = ResolvConf::parse("search a b");
        assert_eq!(conf.candidates("h"), ["h.a", "h.b", "h"]);
        assert_eq!(conf.candidates("h.x"), ["h.x", "h.x.a", "h.x.b"]);
        assert_eq!(conf.candidates("h."), ["h"]);
        assert_eq!(ResolvConf::parse("options ndots:0\nsearch a").candidates("h"), ["h", "h.a"]);
    }
}

//! What sshd is told.
//!
//! The directives stand in a section of our drop-in; those of a recipe's own step `sshd` win over them. What is judged
//! is what sshd makes of all its files, `Match` blocks included: a block that weakens a rule is a failure.

mod access;
mod algorithms;
mod crypto_policy;
mod files;
mod host_keys;
mod server;
#[cfg(test)]
mod tests;
mod words;

use crate::{Bench, Error, Finding, Level, Measure, Rule, View};
use access::{Group, NoPasswords, NoRoot};
use algorithms::{Algorithms, List};
use crypto_policy::CryptoPolicy;
use files::{Files, Modes};
use host_keys::HostKeys;
use words::{Good, Words, range, word};

pub(crate) use access::CLOUD as CLOUD_GROUP;
pub(crate) use host_keys::{CLOUD as CLOUD_KEYS, OUR_MODULI};

/// Another port than 22: looked at, and never done.
struct Port;

impl Measure for Port {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if !bench.spoken.iter().any(|word| word == "port") {
            bench.notes.push(
                "sshd-port: the recipe's step sshd names no port, and none is chosen for it".to_owned(),
            );
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        server::judge(view, |config| {
            let lines = config.global("Port");
            let bad = lines.iter().filter(|line| line.value == "22");
            let mut faults: Vec<_> =
                bad.map(|line| (server::place(&line.place), "sshd listens on port 22".to_owned())).collect();
            if lines.is_empty() {
                faults.push((server::nowhere(), "Port is set nowhere, and is 22 then".to_owned()));
            }
            Ok(faults)
        })
    }
}

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule::new("sshd-config-mode", "5.1.1", Level::One, "only root reads and writes sshd's configuration",
        "whoever writes it lets anybody in, and it tells where a door is left open",
        &Modes(Files::Config)).baseline(),
    Rule::new("sshd-hostkey-private", "5.1.2", Level::One, "only root reads the private host keys",
        "whoever has them can pose as this machine",
        &Modes(Files::Private)).baseline(),
    Rule::new("sshd-hostkey-public", "5.1.3", Level::One, "only root writes the public host keys",
        "a changed one makes clients mistrust the machine, or trust another",
        &Modes(Files::Public)).baseline(),
    Rule::new("sshd-access", "5.1.4", Level::One, "only members of one group log in over SSH",
        "accounts that were never meant for people are no way in then",
        &Group),
    Rule::new("sshd-banner", "5.1.5", Level::One, "sshd shows a banner before anybody logs in",
        "whoever comes is told whose machine this is and that its use is watched",
        &Words(&[range("Banner", "/etc/issue.net", Good::Not("none"), "none")])).baseline(),
    Rule::new("sshd-ciphers", "5.1.6", Level::One, "sshd offers strong ciphers only",
        "what is recorded today is read tomorrow where the cipher is weak",
        &Algorithms(List::Ciphers)).baseline(),
    Rule::new("sshd-alive", "5.1.7", Level::One, "sessions whose client is gone end",
        "an open session without anybody behind it is one that somebody else can take",
        &Words(&[
            range("ClientAliveInterval", "15", Good::Time(1, 86_400), "0"),
            range("ClientAliveCountMax", "2", Good::Number(1, 1000), "3"),
        ])).baseline(),
    Rule::new("sshd-disable-forwarding", "5.1.8", Level::Two, "sshd forwards no ports, agents and displays",
        "a forwarded port leads past the firewall into the network behind",
        &Words(&[
            word("DisableForwarding", "yes", "no"),
            word("AllowTcpForwarding", "no", "yes").before(7, 4),
            word("AllowAgentForwarding", "no", "yes").before(7, 4),
            word("X11Forwarding", "no", "no").before(7, 4),
        ])),
    Rule::new("sshd-gssapi", "5.1.9", Level::Two, "sshd takes no GSSAPI tickets",
        "code that nobody uses before the login is only there to be attacked",
        &Words(&[word("GSSAPIAuthentication", "no", "no")])).baseline(),
    Rule::new("sshd-hostbased", "5.1.10", Level::One, "no host is trusted for its users",
        "one host taken over would be a way into all that trust it",
        &Words(&[word("HostbasedAuthentication", "no", "no")])).baseline(),
    Rule::new("sshd-rhosts", "5.1.11", Level::One, "files of users name no trusted hosts",
        "users would decide who logs in without a key",
        &Words(&[word("IgnoreRhosts", "yes", "yes")])).baseline(),
    Rule::new("sshd-kex", "5.1.12", Level::One, "sshd offers strong key exchanges only",
        "whoever breaks the key exchange reads the whole session",
        &Algorithms(List::Kex)).baseline(),
    Rule::new("sshd-grace", "5.1.13", Level::One, "who does not log in within a minute is cut off",
        "open connections of nobody use up what others need; less than a minute is too short for three factors",
        &Words(&[range("LoginGraceTime", "60", Good::Time(1, 60), "120")])).baseline(),
    Rule::new("sshd-loglevel", "5.1.14", Level::One, "sshd logs who logs in, and with which key",
        "without the fingerprint nobody can say whose key was used",
        &Words(&[range("LogLevel", "VERBOSE", Good::One(&["VERBOSE", "INFO"]), "INFO")])).baseline(),
    Rule::new("sshd-macs", "5.1.15", Level::One, "sshd offers strong message authentication only",
        "what is not authenticated well can be changed on its way",
        &Algorithms(List::Macs)).baseline(),
    Rule::new("sshd-max-auth-tries", "5.1.16", Level::One, "a connection has four tries to log in",
        "guessing passwords takes longer; each key of a client's agent is a try, too",
        &Words(&[range("MaxAuthTries", "4", Good::Number(1, 4), "6")])).baseline(),
    Rule::new("sshd-max-sessions", "5.1.17", Level::One, "a connection has ten sessions at most",
        "one login cannot use up the machine",
        &Words(&[range("MaxSessions", "10", Good::Number(1, 10), "10")])),
    Rule::new("sshd-max-startups", "5.1.18", Level::One, "few connections wait for their login at once",
        "whoever opens many and never logs in would keep everybody else out",
        &Words(&[range("MaxStartups", "10:30:60", Good::Startups([10, 30, 60]), "10:30:100")])).baseline(),
    Rule::new("sshd-empty-passwords", "5.1.19", Level::One, "nobody logs in with an empty password",
        "an account without one would be open to the network",
        &Words(&[word("PermitEmptyPasswords", "no", "no")])).baseline(),
    Rule::new("sshd-root", "5.1.20", Level::One, "root does not log in over SSH",
        "logs tell who became root only where everybody comes under a name of their own",
        &NoRoot).baseline(),
    Rule::new("sshd-user-env", "5.1.21", Level::One, "users set no environment for their sessions",
        "LD_PRELOAD and its kin lead around what a forced command allows",
        &Words(&[word("PermitUserEnvironment", "no", "no")])).baseline(),
    Rule::new("sshd-usepam", "5.1.22", Level::One, "logins over SSH go through PAM",
        "locks, limits and further factors are PAM's",
        &Words(&[word("UsePAM", "yes", "no")])).baseline(),
    Rule::new("sshd-password", "", Level::None, "sshd itself asks for no passwords",
        "passwords are guessed day and night; PAM still asks for one where several factors are demanded",
        &NoPasswords).baseline(),
    Rule::new("sshd-x11", "", Level::None, "sshd forwards no displays",
        "a server has none, and a client's display can be listened to through it",
        &Words(&[word("X11Forwarding", "no", "no")])).baseline(),
    Rule::new("sshd-tcp-keepalive", "", Level::None, "the network alone does not keep sessions alive",
        "TCP's own messages can be forged; those of sshd are encrypted",
        &Words(&[
            word("TCPKeepAlive", "no", "yes"),
            range("ClientAliveInterval", "15", Good::Time(1, 86_400), "0"),
        ])),
    Rule::new("sshd-compression", "", Level::None, "sessions are not compressed",
        "how long a packet is tells about its content where it is compressed",
        &Words(&[word("Compression", "no", "yes")])),
    Rule::new("sshd-port", "", Level::None, "sshd listens on another port than 22",
        "logs stay shorter; it keeps nobody out",
        &Port).excepted("another port hides nothing from whoever looks, and breaks clients and firewalls"),
    Rule::new("sshd-hostkeys", "", Level::None, "sshd has Ed25519 and RSA keys only, and signs without SHA-1",
        "keys of the NIST curves and SHA-1 signatures are what auditors fail",
        &HostKeys).baseline(),
    Rule::new("sshd-rsa-size", "", Level::None, "RSA keys of users have 3072 bits or more",
        "shorter ones do not last as long as people keep their keys; who has one is locked out",
        &Words(&[range("RequiredRSASize", "3072", Good::Number(3072, 16_384), "1024")])),
    Rule::new("sshd-pubkey-algs", "", Level::None, "users log in with Ed25519 or RSA keys, and without SHA-1",
        "a signature with SHA-1 can be forged for money; keys of the NIST curves are locked out as well",
        &Algorithms(List::Users)),
    Rule::new("sshd-persource", "", Level::None, "one address opens few connections at once",
        "a single machine cannot keep sshd busy with key exchanges",
        &Words(&[
            range("PerSourceMaxStartups", "3", Good::Number(1, 3), "none"),
            range("PerSourcePenalties", "yes", Good::Not("no"), "yes"),
        ])),
    Rule::new("sshd-crypto-policy", "", Level::One, "the system's crypto policy has no SHA-1",
        "on Red Hat's systems it decides what sshd offers, whatever sshd_config says",
        &CryptoPolicy),
];

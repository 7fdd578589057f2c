//! The words of sshd_config: since when each is known, where it is allowed, what it takes.
//!
//! Compared with the keyword tables of `servconf.c` in every release from 5.3 to 10.3 (10.4 and
//! 10.5 keep them as macros with the same aliases). An unknown word stops sshd from starting.

use super::Version;

/// Known before 5.3, the oldest release looked at.
const ANCIENT: (u32, u32) = (0, 0);

/// The last release whose words are in the table.
pub const NEWEST: Version = Version::new(10, 5);

/// What a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// yes or no.
    Flag,
    /// PermitRootLogin.
    RootLogin,
    /// IgnoreRhosts.
    IgnoreRhosts,
    /// AddressFamily.
    AddressFamily,
    /// Compression.
    Compression,
    /// GatewayPorts.
    GatewayPorts,
    /// AllowTcpForwarding and its like.
    Forwarding,
    /// PermitTunnel.
    Tunnel,
    /// LogLevel.
    LogLevel,
    /// SyslogFacility.
    Facility,
    /// FingerprintHash.
    FingerprintHash,
    /// UsePrivilegeSeparation.
    Privsep,
    /// A number, 0 or more.
    Integer,
    /// A number or `none`.
    IntegerOrNone,
    /// Three octal digits or so.
    Octal,
    /// Seconds, or "1h30m".
    Time,
    /// `N` or `N:P:M`.
    MaxStartups,
    /// AuthenticationMethods.
    Methods,
    /// A port; several lines add up.
    Port,
    /// Several lines add up.
    Repeat,
    /// Lists of patterns; several lines add up.
    Patterns,
    /// Subsystem: one per name.
    Subsystem,
    /// One or more words, the first line wins.
    Words,
    /// One word, the first line wins.
    Text,
    /// The rest of the line, the first line wins.
    Rest,
    /// `Match` and `Include`: not values.
    Block,
}

/// One word of sshd_config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// As the manual spells it.
    pub name: &'static str,
    since: (u32, u32),
    in_match_since: Option<(u32, u32)>,
    without_effect_since: Option<(u32, u32)>,
    /// What it takes.
    pub kind: Kind,
}

impl Keyword {
    /// Whether this release knows the word.
    #[must_use]
    pub fn known_to(&self, version: Version) -> bool {
        version.pair() >= self.since
    }

    /// The first release that knows the word; `None`: all that matter.
    #[must_use]
    pub fn since(&self) -> Option<Version> {
        (self.since != ANCIENT).then(|| Version::new(self.since.0, self.since.1))
    }

    /// Whether this release lets the word stand in a `Match` block.
    #[must_use]
    pub(crate) fn allowed_in_match(&self, version: Version) -> bool {
        self.in_match_since.is_some_and(|since| version.pair() >= since)
    }

    /// Whether this release reads the word and does nothing with it.
    #[must_use]
    pub fn without_effect(&self, version: Version) -> bool {
        self.without_effect_since.is_some_and(|since| version.pair() >= since)
    }

    /// Whether several lines of this word add up (otherwise the first one counts).
    #[must_use]
    pub fn adds_up(&self) -> bool {
        matches!(self.kind, Kind::Port | Kind::Repeat | Kind::Patterns | Kind::Subsystem)
    }

    /// Whether case does not matter in its values.
    #[must_use]
    pub(crate) fn value_ignores_case(&self) -> bool {
        !matches!(
            self.kind,
            Kind::Repeat
                | Kind::Patterns
                | Kind::Subsystem
                | Kind::Words
                | Kind::Text
                | Kind::Rest
                | Kind::Methods
        )
    }
}

const fn row(
    name: &'static str,
    since: (u32, u32),
    in_match_since: Option<(u32, u32)>,
    without_effect_since: Option<(u32, u32)>,
    kind: Kind,
) -> Keyword {
    Keyword { name, since, in_match_since, without_effect_since, kind }
}

/// Older names: alias, the word it stands for, and since when it is only an alias.
const ALIASES: &[(&str, &str, (u32, u32))] = &[
    ("ChallengeResponseAuthentication", "KbdInteractiveAuthentication", (8, 7)),
    ("SKeyAuthentication", "KbdInteractiveAuthentication", (8, 7)),
    ("SKeyAuthentication", "ChallengeResponseAuthentication", ANCIENT),
    ("DSAAuthentication", "PubkeyAuthentication", ANCIENT),
    ("HostDSAKey", "HostKey", ANCIENT),
    ("HostbasedAcceptedKeyTypes", "HostbasedAcceptedAlgorithms", (8, 5)),
    ("PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms", (8, 5)),
    ("KeepAlive", "TCPKeepAlive", ANCIENT),
];

/// Looks a word up, whatever its case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name.eq_ignore_ascii_case(name))
}

/// Looks a word up and follows the aliases of this release: what the line really sets.
#[must_use]
pub fn canonical(name: &str, version: Version) -> Option<&'static Keyword> {
    let keyword = find(name)?;
    let alias = ALIASES.iter().find(|(alias, _, since)| *alias == keyword.name && version.pair() >= *since);
    alias.map_or(Some(keyword), |(_, target, _)| find(target))
}

/// The known word that looks most like `name`, for "did you mean".
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    KEYWORDS
        .iter()
        .map(|keyword| (distance(&name, &keyword.name.to_ascii_lowercase()), keyword.name))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replace = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[rustfmt::skip]
const KEYWORDS: &[Keyword] = &[
    row("AcceptEnv", ANCIENT, Some((6, 1)), None, Kind::Patterns),
    row("AddressFamily", ANCIENT, None, None, Kind::AddressFamily),
    row("AFSTokenPassing", ANCIENT, None, Some(ANCIENT), Kind::Text),
    row("AllowAgentForwarding", ANCIENT, Some(ANCIENT), None, Kind::Flag),
    row("AllowGroups", ANCIENT, Some((6, 1)), None, Kind::Patterns),
    row("AllowStreamLocalForwarding", (6, 7), Some((6, 7)), None, Kind::Forwarding),
    row("AllowTcpForwarding", ANCIENT, Some(ANCIENT), None, Kind::Forwarding),
    row("AllowUsers", ANCIENT, Some((6, 1)), None, Kind::Patterns),
    row("AuthenticationMethods", (6, 2), Some((6, 2)), None, Kind::Methods),
    row("AuthorizedKeysCommand", (6, 2), Some((6, 2)), None, Kind::Rest),
    row("AuthorizedKeysCommandUser", (6, 2), Some((6, 2)), None, Kind::Text),
    row("AuthorizedKeysFile", ANCIENT, Some((5, 6)), None, Kind::Words),
    row("AuthorizedKeysFile2", ANCIENT, Some((5, 6)), Some((5, 9)), Kind::Text),
    row("AuthorizedPrincipalsCommand", (6, 9), Some((6, 9)), None, Kind::Rest),
    row("AuthorizedPrincipalsCommandUser", (6, 9), Some((6, 9)), None, Kind::Text),
    row("AuthorizedPrincipalsFile", (5, 6), Some((5, 6)), None, Kind::Text),
    row("Banner", ANCIENT, Some(ANCIENT), None, Kind::Rest),
    row("CASignatureAlgorithms", (7, 9), Some((7, 9)), None, Kind::Text),
    row("ChallengeResponseAuthentication", ANCIENT, Some((8, 7)), None, Kind::Flag),
    row("ChannelTimeout", (9, 2), Some((9, 2)), None, Kind::Words),
    row("CheckMail", ANCIENT, None, Some(ANCIENT), Kind::Text),
    row("ChrootDirectory", ANCIENT, Some(ANCIENT), None, Kind::Text),
    row("Ciphers", ANCIENT, None, None, Kind::Text),
    row("ClientAliveCountMax", ANCIENT, Some((7, 4)), None, Kind::Integer),
    row("ClientAliveInterval", ANCIENT, Some((7, 4)), None, Kind::Time),
    row("Compression", ANCIENT, None, None, Kind::Compression),
    row("DenyGroups", ANCIENT, Some((6, 1)), None, Kind::Patterns),
    row("DenyUsers", ANCIENT, Some((6, 1)), None, Kind::Patterns),
    row("DisableForwarding", (7, 4), Some((7, 4)), None, Kind::Flag),
    row("DSAAuthentication", ANCIENT, None, None, Kind::Flag),
    row("ExposeAuthInfo", (7, 6), Some((7, 6)), None, Kind::Flag),
    row("FingerprintHash", (6, 8), None, None, Kind::FingerprintHash),
    row("ForceCommand", ANCIENT, Some(ANCIENT), None, Kind::Rest),
    row("GatewayPorts", ANCIENT, Some(ANCIENT), None, Kind::GatewayPorts),
    row("GSSAPIAuthentication", ANCIENT, Some(ANCIENT), None, Kind::Flag),
    row("GSSAPICleanupCredentials", ANCIENT, None, None, Kind::Flag),
    row("GSSAPIDelegateCredentials", (10, 3), None, None, Kind::Flag),
    row("GSSAPIStrictAcceptorCheck", (6, 9), None, None, Kind::Flag),
    row("HostbasedAcceptedAlgorithms", (8, 5), Some((8, 5)), None, Kind::Text),
    row("HostbasedAcceptedKeyTypes", (6, 8), Some((6, 8)), None, Kind::Text),
    row("HostbasedAuthentication", ANCIENT, Some(ANCIENT), None, Kind::Flag),
    row("HostbasedUsesNameFromPacketOnly", ANCIENT, Some((5, 6)), None, Kind::Flag),
    row("HostCertificate", (5, 4), None, None, Kind::Repeat),
    row("HostDSAKey", ANCIENT, None, None, Kind::Repeat),
    row("HostKey", ANCIENT, None, None, Kind::Repeat),
    row("HostKeyAgent", (6, 3), None, None, Kind::Text),
    row("HostKeyAlgorithms", (7, 0), None, None, Kind::Text),
    row("IgnoreRhosts", ANCIENT, Some((8, 3)), None, Kind::IgnoreRhosts),
    row("IgnoreUserKnownHosts", ANCIENT, None, None, Kind::Flag),
    row("Include", (8, 2), Some((8, 2)), None, Kind::Block),
    row("IPQoS", (5, 7), Some((5, 7)), None, Kind::Words),
    row("KbdInteractiveAuthentication", ANCIENT, Some(ANCIENT), None, Kind::Flag),
    row("KeepAlive", ANCIENT, None, None, Kind::Flag),
    row("KerberosAuthentication", ANCIENT, Some(ANCIENT), None, Kind::Flag),
    row("KerberosGetAFSToken", ANCIENT, None, None, Kind::Flag),
    row("KerberosOrLocalPasswd", ANCIENT, None, None, Kind::Flag),
    row("KerberosTgtPassing", ANCIENT, None, Some(ANCIENT), Kind::Text),
    row("KerberosTicketCleanup", ANCIENT, None, None, Kind::Flag),
    row("KexAlgorithms", (5, 7), None, None, Kind::Text),
    row("KeyRegenerationInterval", ANCIENT, None, Some((7, 4)), Kind::Time),
    row("ListenAddress", ANCIENT, None, None, Kind::Repeat),
    row("LoginGraceTime", ANCIENT, None, None, Kind::Time),
    row("LogLevel", ANCIENT, Some((7, 6)), None, Kind::LogLevel),
    row("LogVerbose", (8, 5), Some((8, 5)), None, Kind::Words),
    row("MACs", ANCIENT, None, None, Kind::Text),
    row("Match", ANCIENT, Some(ANCIENT), None, Kind::Block),
    row("MaxAuthTries", ANCIENT, Some(ANCIENT), None, Kind::Integer),
    row("MaxSessions", ANCIENT, Some(ANCIENT), None, Kind::Integer),
    row("MaxStartups", ANCIENT, None, None, Kind::MaxStartups),
    row("ModuliFile", (8, 6), None, None, Kind::Text),
    row("PAMAuthenticationViaKbdInt", ANCIENT, None, Some(ANCIENT), Kind::Text),
    row("PAMServiceName", (9, 8), Some((9, 8)), None, Kind::Text),
    row("PasswordAuthentication", ANCIENT, Some(ANCIENT), None, Kind::Flag),
    row("PermitEmptyPasswords", ANCIENT, Some(ANCIENT), None, Kind::Flag),
    row("PermitListen", (7, 8), Some((7, 8)), None, Kind::Words),
    row("PermitOpen", ANCIENT, Some(ANCIENT), None, Kind::Words),
    row("PermitRootLogin", ANCIENT, Some(ANCIENT), None, Kind::RootLogin),
    row("PermitTTY", (6, 5), Some((6, 5)), None, Kind::Flag),
    row("PermitTunnel", ANCIENT, Some((5, 6)), None, Kind::Tunnel),
    row("PermitUserEnvironment", ANCIENT, None, None, Kind::Text),
    row("PermitUserRC", (6, 7), Some((6, 7)), None, Kind::Flag),
    row("PerSourceMaxStartups", (8, 5), None, None, Kind::IntegerOrNone),
    row("PerSourceNetBlockSize", (8, 5), None, None, Kind::Words),
    row("PerSourcePenalties", (9, 8), None, None, Kind::Words),
    row("PerSourcePenaltyExemptList", (9, 8), None, None, Kind::Text),
    row("PidFile", ANCIENT, None, None, Kind::Text),
    row("Port", ANCIENT, None, None, Kind::Port),
    row("PrintLastLog", ANCIENT, None, None, Kind::Flag),
    row("PrintMotd", ANCIENT, None, None, Kind::Flag),
    row("Protocol", ANCIENT, None, Some((7, 4)), Kind::Text),
    row("PubkeyAcceptedAlgorithms", (8, 5), Some((8, 5)), None, Kind::Text),
    row("PubkeyAcceptedKeyTypes", (6, 8), Some((6, 8)), None, Kind::Text),
    row("PubkeyAuthentication", ANCIENT, Some(ANCIENT), None, Kind::Flag),
    row("PubkeyAuthOptions", (8, 2), Some((8, 2)), None, Kind::Words),
    row("RDomain", (7, 7), Some((7, 7)), None, Kind::Text),
    row("RefuseConnection", (9, 9), Some((9, 9)), None, Kind::Flag),
    row("RekeyLimit", (6, 3), Some((6, 3)), None, Kind::Words),
    row("RequiredRSASize", (9, 1), Some((9, 1)), None, Kind::Integer),
    row("ReverseMappingCheck", ANCIENT, None, Some(ANCIENT), Kind::Text),
    row("RevokedKeys", (5, 4), Some((5, 4)), None, Kind::Words),
    row("RhostsAuthentication", ANCIENT, None, Some(ANCIENT), Kind::Text),
    row("RhostsRSAAuthentication", ANCIENT, Some(ANCIENT), Some((7, 4)), Kind::Flag),
    row("RSAAuthentication", ANCIENT, Some(ANCIENT), Some((7, 4)), Kind::Flag),
    row("SecurityKeyProvider", (8, 2), None, None, Kind::Text),
    row("ServerKeyBits", ANCIENT, None, Some((7, 4)), Kind::Integer),
    row("SetEnv", (7, 8), Some((7, 8)), None, Kind::Words),
    row("SKeyAuthentication", ANCIENT, Some((8, 7)), None, Kind::Flag),
    row("SshdAuthPath", (10, 0), None, None, Kind::Text),
    row("SshdSessionPath", (9, 8), None, None, Kind::Text),
    row("StreamLocalBindMask", (6, 7), Some((6, 7)), None, Kind::Octal),
    row("StreamLocalBindUnlink", (6, 7), Some((6, 7)), None, Kind::Flag),
    row("StrictModes", ANCIENT, None, None, Kind::Flag),
    row("Subsystem", ANCIENT, Some((9, 5)), None, Kind::Subsystem),
    row("SyslogFacility", ANCIENT, None, None, Kind::Facility),
    row("TCPKeepAlive", ANCIENT, None, None, Kind::Flag),
    row("TrustedUserCAKeys", (5, 4), Some((5, 4)), None, Kind::Text),
    row("UnusedConnectionTimeout", (9, 2), Some((9, 2)), None, Kind::Text),
    row("UseDNS", ANCIENT, None, None, Kind::Flag),
    row("UseLogin", ANCIENT, None, Some((7, 4)), Kind::Flag),
    row("UsePAM", ANCIENT, None, None, Kind::Flag),
    row("UsePrivilegeSeparation", ANCIENT, None, Some((7, 5)), Kind::Privsep),
    row("VerifyReverseMapping", ANCIENT, None, Some(ANCIENT), Kind::Text),
    row("VersionAddendum", (6, 1), None, None, Kind::Rest),
    row("X11DisplayOffset", ANCIENT, Some(ANCIENT), None, Kind::Integer),
    row("X11Forwarding", ANCIENT, Some(ANCIENT), None, Kind::Flag),
    row("X11UseLocalhost", ANCIENT, Some(ANCIENT), None, Kind::Flag),
    row("XAuthLocation", ANCIENT, None, None, Kind::Text),
    // Patches of Debian, Ubuntu and Red Hat.
    row("DebianBanner", ANCIENT, None, None, Kind::Flag),
    row("GSSAPIEnablek5users", ANCIENT, Some(ANCIENT), None, Kind::Flag),
    row("GSSAPIKexAlgorithms", ANCIENT, None, None, Kind::Text),
    row("GSSAPIKeyExchange", ANCIENT, None, None, Kind::Flag),
    row("GSSAPIStoreCredentialsOnRekey", ANCIENT, None, None, Kind::Flag),
    row("KerberosUniqueCCache", ANCIENT, None, None, Kind::Flag),
    row("KerberosUseKuserok", ANCIENT, Some(ANCIENT), None, Kind::Flag),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_a_first_release_and_aliases_move() {
        let old = Version::new(6, 6);
        let bookworm = Version::new(9, 2);
        assert!(!find("include").is_some_and(|word| word.known_to(old)));
        assert!(find("INCLUDE").is_some_and(|word| word.known_to(bookworm)));
        assert_eq!(
            canonical("challengeresponseauthentication", old).map(|w| w.name),
            Some("ChallengeResponseAuthentication")
        );
        assert_eq!(
            canonical("ChallengeResponseAuthentication", bookworm).map(|w| w.name),
            Some("KbdInteractiveAuthentication")
        );
        assert!(
            find("UseLogin").is_some_and(|word| word.without_effect(bookworm) && !word.without_effect(old))
        );
        assert!(canonical("Bogus", bookworm).is_none());
    }

    #[test]
    fn a_near_miss_is_suggested() {
        assert_eq!(nearest("PermitRootLogn"), Some("PermitRootLogin"));
        assert_eq!(nearest("Frobnicate"), None);
    }
}

//! EC2's metadata service for one instance, with EC2's or Eucalyptus' identity.
//!
//! It listens on a Unix socket. QEMU's user network gives each connection to 169.254.169.254:80 to a process of its own,
//! the [`relay`], whose standard input and output are the connection.
//!
//! * `tree`: paths and what is at them, and how directories are listed.
//! * `ec2`, `eucalyptus`: the two trees.
//! * `request`, `answer`: HTTP/1.1 as far as metadata services speak it.
//! * `token`: IMDSv2's tokens.
//! * `service`: what is answered to what. `server`: connections.
//!
//! Facts: the EC2 user guide, "Instance metadata"; Eucalyptus 4.4, `VmInstanceMetadata.java`, `VmMetadata.java`,
//! `MetadataPipeline.java`; what cloud-init's `DataSourceEc2.py` and `sources/helpers/ec2.py` ask for.

mod answer;
mod ec2;
mod eucalyptus;
mod relay;
mod request;
mod server;
mod service;
#[cfg(test)]
mod tests;
mod token;
mod tree;

use crate::instance::Like;

pub use relay::relay;
pub use server::serve;

/// What is answered to heads of requests, one after the other.
pub(crate) fn answers(
    identity: &Identity,
    heads: &[&[u8]],
    random: fn(&mut [u8]),
    now: fn() -> std::time::SystemTime,
) -> Vec<Vec<u8>> {
    let service = service::Service::new(identity, random, now);
    let answer = |head: &&[u8]| match request::Request::parse(head) {
        Some(request) => service.answer(&request).bytes(),
        None => answer::Answer::refusal(400).bytes(),
    };
    heads.iter().map(answer).collect()
}

/// The region that instances of this machine are in. It is made so that nobody takes it for one of AWS's: cloud-init
/// looks for package mirrors in those.
pub const REGION: &str = "local-1";
/// The availability zone.
pub const ZONE: &str = "local-1a";
/// The account that everything belongs to.
pub const ACCOUNT: &str = "000000000000";

/// Who the instance is.
#[derive(Clone, Default)]
pub struct Identity {
    /// Whose manners the service has.
    pub like: Like,
    /// Tokens are required.
    pub imds_v2: bool,
    /// `i-…`.
    pub instance: String,
    /// `r-…`.
    pub reservation: String,
    /// Its place in the reservation.
    pub launch_index: u32,
    /// `ami-…`; Eucalyptus shows `emi-…`.
    pub image: String,
    /// `t3.small`.
    pub instance_type: String,
    /// `x86_64`.
    pub architecture: String,
    /// Its host name; where it is empty, the one that the cloud makes of the address ([`hostname`]).
    pub hostname: String,
    /// The address of its first card.
    pub address: String,
    /// The first card's hardware address, small letters.
    pub mac: String,
    /// The second card, in a private network: hardware address, address, length of the network's prefix. Where there is
    /// one, its address is `local-ipv4`: that is where other instances find this one.
    pub private: Option<(String, String, u8)>,
    /// Where its SSH is found from this machine.
    pub public_address: Option<String>,
    /// The key pair's name and its public key.
    pub key: Option<(String, String)>,
    /// Security groups.
    pub groups: Vec<String>,
    /// What `block-device-mapping` lists: `ami`, `root`, `ephemeral0`, `ebs1` … and devices.
    pub devices: Vec<(String, String)>,
    /// User-data; `None`: 404, as where there is none.
    pub user_data: Option<Vec<u8>>,
    /// Tags, where they are shown (`tags/instance`).
    pub tags: Vec<(String, String)>,
    /// Seconds since 1970.
    pub launched: u64,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // User-data may have secrets.
        formatter.debug_struct("Identity").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Identity {
    /// The address that other instances find it by.
    fn local_address(&self) -> &str {
        self.private.as_ref().map_or(self.address.as_str(), |(_, address, _)| address)
    }

    /// The address that it is found by from outside, without a port.
    fn public_ipv4(&self) -> Option<&str> {
        let address = self.public_address.as_deref()?;
        Some(address.split_once(':').map_or(address, |(address, _)| address))
    }

    fn hostname(&self) -> String {
        if self.hostname.is_empty() {
            hostname(self.like, self.local_address())
        } else {
            self.hostname.clone()
        }
    }
}

/// The host name that the cloud makes of an instance's address.
pub fn hostname(like: Like, address: &str) -> String {
    let address = address.replace('.', "-");
    match like {
        Like::Ec2 => format!("ip-{address}.{REGION}.compute.internal"),
        Like::Eucalyptus => format!("euca-{address}.eucalyptus.internal"),
    }
}

/// The network of `address` with a prefix of `length`: `10.1.2.0/24`.
fn network_of(address: &str, length: u8) -> Option<String> {
    let address: std::net::Ipv4Addr = address.parse().ok()?;
    let host = 32_u32.checked_sub(u32::from(length))?;
    let mask = u32::MAX.checked_shl(host).unwrap_or(0);
    Some(format!("{}/{length}", std::net::Ipv4Addr::from(u32::from(address) & mask)))
}

/// `2026-01-02T03:04:05Z` (Howard Hinnant's `civil_from_days`).
fn time(seconds: u64) -> String {
    // Until the year 9999.
    let seconds = seconds.min(253_402_300_799);
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest % 3600 / 60, rest % 60)
}

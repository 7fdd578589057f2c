//! Where SSH is let in from: networks as people write them, and one's own address as the cloud sees it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};

use hardtack_cloud::{Client, Kind, Service};
use hardtack_publish::Teller;

use super::SshFrom;
use crate::Error;

/// What says one's address where nobody names another: AWS' own.
const ADDRESS_URL: &str = "https://checkip.amazonaws.com";

/// Bytes of an address, and to spare.
const LONGEST: usize = 1024;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u8,
}

impl std::fmt::Display for Network {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.address, self.bits)
    }
}

impl Network {
    /// `192.0.2.0/24`, `2001:db8::/32`; an address alone is a network of one. Bits behind the prefix are cleared, as EC2
    /// does.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let bad = |what: &str| {
            Error::Usage(format!(
                "--ssh-from {text}: {what}; it is a network as 192.0.2.0/24 or 2001:db8::/32, an address, or me"
            ))
        };
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| bad("this is no address"))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let number = |bits: &str| bits.parse::<u8>().ok().filter(|bits| *bits <= most);
        let bits = match bits {
            Some(bits) => number(bits).ok_or_else(|| bad(&format!("a prefix has 0 to {most} bits")))?,
            None => most,
        };
        Ok(Self { address: cleared(address, bits), bits })
    }

    pub(super) fn is_v6(&self) -> bool {
        self.address.is_ipv6()
    }

    fn everybody(&self) -> bool {
        self.bits == 0
    }
}

fn cleared(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

/// The network that is meant; which address was found, and that everybody is let in, are told.
pub(super) fn network(
    client: &Client,
    from: &SshFrom,
    url: Option<&str>,
    tell: &dyn Teller,
) -> Result<Network, Error> {
    let network = match from {
        SshFrom::Network(text) => {
            let network = Network::parse(text)?;
            if text.contains('/') && network.to_string() != *text {
                tell.note(&format!("--ssh-from {text}: the network is {network}"));
            }
            network
        }
        SshFrom::Me => {
            let (address, how) = me(client, url)?;
            let bits = if address.is_ipv4() { 32 } else { 128 };
            tell.note(&format!("--ssh-from me: {address}, {how}"));
            Network { address, bits }
        }
    };
    if network.everybody() {
        tell.note(&format!("--ssh-from {network}: everybody can reach SSH"));
    }
    Ok(network)
}

/// One's own address, and how it was found. A Eucalyptus in a private network sees the address that this machine has
/// there; to others the way out is what they see.
fn me(client: &Client, url: Option<&str>) -> Result<(IpAddr, String), Error> {
    if let (Kind::Euca, None) = (client.place().kind, url)
        && let Some(address) = route(client)
    {
        return Ok((address, "this machine's on the way to the cloud".to_owned()));
    }
    let url = url.unwrap_or(ADDRESS_URL);
    let fail = |what: String| {
        Error::Refused(format!(
            "--ssh-from me: {url} does not tell an address: {what}; give a network instead of me"
        ))
    };
    let text = hardtack_cloud::fetch_text(client.environment(), "what tells addresses", url, LONGEST)
        .map_err(|error| fail(error.to_string()))?;
    let address: IpAddr = text.trim().parse().map_err(|_| fail("its answer is none".to_owned()))?;
    Ok((address, format!("as {url} sees it")))
}

/// The address of this machine on the way to the cloud, if both are in private networks.
fn route(client: &Client) -> Option<IpAddr> {
    let endpoint = client.place().endpoint(Service::Ec2).ok()?;
    let (scheme, rest) = endpoint.url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let port = if scheme == "https" { 443 } else { 80 };
    let with_port = if authority.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok()) {
        authority.to_owned()
    } else {
        format!("{authority}:{port}")
    };
    let there = with_port.to_socket_addrs().ok()?.find(|address| is_private(address.ip()))?;
    let here = if there.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    // Nothing is sent: the kernel chooses the way.
    let socket = UdpSocket::bind(here.parse::<SocketAddr>().ok()?).ok()?;
    socket.connect(there).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| is_private(*address))
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.segments()[0] & 0xfe00 == 0xfc00,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_as_people_write_them() {
        for (text, expected) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:db8:1::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(Network::parse(text).unwrap().to_string(), expected);
        }
        for bad in ["", "me", "192.0.2.7/33", "192.0.2/24", "::/129", "192.0.2.1/", "192.0.2.1/-1"] {
            assert!(Network::parse(bad).unwrap_err().to_string().contains("--ssh-from"), "{bad}");
        }
        assert!(Network::parse("::/0").unwrap().everybody());
    }

    #[test]
    fn private_networks_are_known() {
        assert!(is_private("10.1.2.3".parse().unwrap()) && is_private("fd00::1".parse().unwrap()));
        assert!(!is_private("127.0.0.1".parse().unwrap()) && !is_private("198.51.100.1".parse().unwrap()));
    }
}

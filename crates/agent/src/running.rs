//! What the running system alone knows ([`hardtack_modules::Facts`]): clocks, memory, room, block devices, and the
//! addresses of its first card. From /proc, /sys and the kernel; no program is asked.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{SystemTime, UNIX_EPOCH};

use hardtack_modules::Facts;
use hardtack_userdata::coreos::Addresses;

use crate::host::Host;

/// Those facts; what only the cloud knows is left open.
///
/// `addresses` holds the private ones, by the card: that others reach the machine at one of them, or at another one,
/// only the metadata says.
pub(crate) fn facts(host: &Host) -> Facts {
    Facts {
        uptime: uptime(host),
        memory: memory(host),
        free: free(host),
        now: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs()),
        devices: devices(host),
        addresses: addresses(host),
        ..Facts::default()
    }
}

/// Seconds since the kernel started.
pub(crate) fn uptime(host: &Host) -> Option<f64> {
    host.first_line("/proc/uptime")?.split(' ').next()?.parse().ok()
}

/// Bytes of memory that the kernel has to give.
pub(crate) fn memory(host: &Host) -> Option<u64> {
    let text = host.read_text("/proc/meminfo").ok()??;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Bytes free on the file system of `/`, for root.
fn free(host: &Host) -> Option<u64> {
    let room = rustix::fs::statvfs(host.path("/")).ok()?;
    room.f_frsize.checked_mul(room.f_bfree)
}

/// `/dev/vda`, `/dev/vda1`…
fn devices(host: &Host) -> Vec<String> {
    host.names("/sys/class/block")
        .into_iter()
        .map(|name| format!("/dev/{}", name.replace('!', "/")))
        .collect()
}

fn addresses(host: &Host) -> Addresses {
    let text = |path: &str| host.read_text(path).ok().flatten().unwrap_or_default();
    let (routes, tries, inet6) =
        (text("/proc/net/route"), text("/proc/net/fib_trie"), text("/proc/net/if_inet6"));
    let asked = crate::addresses::ipv4(host);
    let mut addresses = Addresses::default();
    for (index, card) in cards(host) {
        let own = asked.iter().find(|of| of.index == index && of.is_global()).map(|of| of.address);
        let ipv4 = own.or_else(|| ipv4(&routes, &tries, &card)).map(|address| address.to_string());
        let ipv6 = ipv6(&inet6, &card).map(|address| address.to_string());
        addresses.private_ipv4 = addresses.private_ipv4.or(ipv4);
        addresses.private_ipv6 = addresses.private_ipv6.or(ipv6);
    }
    addresses
}

/// Cards that are hardware, or what a hypervisor calls so, with their numbers, in the kernel's order.
fn cards(host: &Host) -> Vec<(u32, String)> {
    let mut cards: Vec<(u32, String)> = host
        .names("/sys/class/net")
        .into_iter()
        .filter(|name| host.exists(&format!("/sys/class/net/{name}/device")))
        .map(|name| {
            let index = host.first_line(&format!("/sys/class/net/{name}/ifindex"));
            (index.and_then(|index| index.parse().ok()).unwrap_or(u32::MAX), name)
        })
        .collect();
    cards.sort_unstable();
    cards
}

/// The first of the machine's own addresses that lies in a network which is routed to the card.
fn ipv4(routes: &str, tries: &str, card: &str) -> Option<Ipv4Addr> {
    let hex = |word: &str| u32::from_str_radix(word, 16).ok().map(u32::from_be);
    let networks: Vec<(u32, u32)> = routes
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let mask = hex(words.get(7)?)?;
            (*words.first()? == card && mask != 0).then_some((hex(words.get(1)?)?, mask))
        })
        .collect();
    let mut leaf: Option<Ipv4Addr> = None;
    for line in tries.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line == "/32 host LOCAL"
            && let Some(address) = leaf
            && !address.is_loopback()
            && networks.iter().any(|(network, mask)| u32::from(address) & mask == *network)
        {
            return Some(address);
        }
    }
    None
}

/// The card's first address that is good everywhere.
fn ipv6(inet6: &str, card: &str) -> Option<Ipv6Addr> {
    inet6.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let global = words.get(3) == Some(&"00") && words.get(5) == Some(&card);
        global.then(|| u128::from_str_radix(words.first()?, 16).ok().map(Ipv6Addr::from)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    const ROUTES: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
ens3\t00000000\t0202000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
ens3\t0002000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
";
    const TRIES: &str = "\
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.0.2.0
        /24 link UNICAST
     |-- 10.0.2.15
        /32 host LOCAL
     |-- 10.0.2.255
        /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 172.17.0.1
        /32 host LOCAL
";

    #[test]
    fn facts_come_from_proc_and_sys() {
        let tree = Tree::new()
            .file("proc/uptime", "12.34 20.00\n")
            .file("proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n")
            .file("proc/net/route", ROUTES)
            .file("proc/net/fib_trie", TRIES)
            .file("proc/net/if_inet6", "fe800000000000005054000000000001 02 40 20 80 ens3\n20010db8000000000000000000000005 02 40 00 80 ens3\n")
            .directory("sys/class/block/vda1")
            .directory("sys/class/block/cciss!c0d0")
            .directory("sys/class/net/docker0")
            .directory("sys/class/net/ens3/device")
            .file("sys/class/net/ens3/ifindex", "2\n")
            .directory("sys/class/net/ens4/device")
            .file("sys/class/net/ens4/ifindex", "3\n");
        let facts = facts(&tree.host());
        assert_eq!((facts.uptime, facts.memory), (Some(12.34), Some(2 << 20)));
        assert!(facts.free.is_some_and(|free| free > 0) && facts.now.is_some());
        assert_eq!(facts.devices, ["/dev/cciss/c0d0", "/dev/vda1"]);
        assert_eq!(facts.addresses.private_ipv4.as_deref(), Some("10.0.2.15"));
        assert_eq!(facts.addresses.private_ipv6.as_deref(), Some("2001:db8::5"));
        assert_eq!(facts.addresses.public_ipv4, None);
    }

    #[test]
    fn what_is_missing_is_not_known() {
        let facts = facts(&Tree::new().host());
        assert_eq!((facts.uptime, facts.memory, facts.devices.len()), (None, None, 0));
        assert_eq!(facts.addresses, Addresses::default());
    }
}

//! The rules.

use super::{CtrlAltDel, Keys, Never};
use crate::{Level, Rule};

const fn keys(id: &'static str, keys: &'static [(&'static str, &'static str)]) -> Keys {
    Keys::new(id, keys)
}

pub(in crate::families) const RULES: &[Rule] = &[
    Rule::new(
        "sys-ip-forward",
        "3.3.1",
        Level::One,
        "the machine forwards no packets",
        "a server is no router: one that forwards joins networks that were kept apart",
        &Keys {
            not_with_containers: true,
            ..keys("sys-ip-forward", &[("net.ipv4.ip_forward", "0"), ("net.ipv6.conf.all.forwarding", "0")])
        },
    ),
    Rule::new(
        "sys-send-redirects",
        "3.3.2",
        Level::One,
        "the machine sends no ICMP redirects",
        "only routers have anything to say about routes; a compromised host could send others astray",
        &keys(
            "sys-send-redirects",
            &[("net.ipv4.conf.all.send_redirects", "0"), ("net.ipv4.conf.default.send_redirects", "0")],
        ),
    )
    .baseline(),
    Rule::new(
        "sys-bogus-icmp",
        "3.3.3",
        Level::One,
        "bogus ICMP error responses are ignored",
        "routers that answer broadcasts against RFC 1122 would fill the log",
        &keys("sys-bogus-icmp", &[("net.ipv4.icmp_ignore_bogus_error_responses", "1")]),
    )
    .baseline(),
    Rule::new(
        "sys-broadcast-icmp",
        "3.3.4",
        Level::One,
        "pings to broadcast addresses are ignored",
        "a ping to all hosts of a network with a forged sender is an attack on that sender (smurf)",
        &keys("sys-broadcast-icmp", &[("net.ipv4.icmp_echo_ignore_broadcasts", "1")]),
    )
    .baseline(),
    Rule::new(
        "sys-accept-redirects",
        "3.3.5",
        Level::One,
        "ICMP redirects are not accepted",
        "whoever is in the same network could lead the machine's traffic over himself",
        &keys(
            "sys-accept-redirects",
            &[
                ("net.ipv4.conf.all.accept_redirects", "0"),
                ("net.ipv4.conf.default.accept_redirects", "0"),
                ("net.ipv6.conf.all.accept_redirects", "0"),
                ("net.ipv6.conf.default.accept_redirects", "0"),
            ],
        ),
    )
    .baseline(),
    Rule::new(
        "sys-secure-redirects",
        "3.3.6",
        Level::One,
        "ICMP redirects of known gateways are not accepted",
        "a gateway may be compromised too, and its address forged",
        &keys(
            "sys-secure-redirects",
            &[("net.ipv4.conf.all.secure_redirects", "0"), ("net.ipv4.conf.default.secure_redirects", "0")],
        ),
    )
    .baseline(),
    Rule::new(
        "sys-rp-filter",
        "3.3.7",
        Level::One,
        "packets are dropped whose sender is reached another way",
        "they have a forged sender; with several interfaces and asymmetric routes they have not",
        &keys(
            "sys-rp-filter",
            &[("net.ipv4.conf.all.rp_filter", "1"), ("net.ipv4.conf.default.rp_filter", "1")],
        ),
    )
    .baseline(),
    Rule::new(
        "sys-source-route",
        "3.3.8",
        Level::One,
        "packets that bring their route are not accepted",
        "with a route of its own a packet reaches networks that the routers would not lead it to",
        &keys(
            "sys-source-route",
            &[
                ("net.ipv4.conf.all.accept_source_route", "0"),
                ("net.ipv4.conf.default.accept_source_route", "0"),
                ("net.ipv6.conf.all.accept_source_route", "0"),
                ("net.ipv6.conf.default.accept_source_route", "0"),
            ],
        ),
    )
    .baseline(),
    Rule::new(
        "sys-log-martians",
        "3.3.9",
        Level::One,
        "packets with impossible addresses are logged",
        "they tell of forged senders, and of networks that are set up wrong",
        &keys(
            "sys-log-martians",
            &[("net.ipv4.conf.all.log_martians", "1"), ("net.ipv4.conf.default.log_martians", "1")],
        ),
    ),
    Rule::new(
        "sys-syncookies",
        "3.3.10",
        Level::One,
        "a flood of connections does not fill the table of half-open ones",
        "with SYN cookies the machine goes on answering while somebody opens connections and leaves them",
        &keys("sys-syncookies", &[("net.ipv4.tcp_syncookies", "1")]),
    )
    .baseline(),
    Rule::new(
        "sys-accept-ra",
        "3.3.11",
        Level::UbuntuOne,
        "router advertisements are not accepted",
        "whoever is in the same network could name himself the router",
        &keys(
            "sys-accept-ra",
            &[("net.ipv6.conf.all.accept_ra", "0"), ("net.ipv6.conf.default.accept_ra", "0")],
        ),
    )
    .excepted(
        "clouds give the default route of IPv6 by router advertisements: without them IPv6 is cut off where the \
         kernel takes them",
    ),
    Rule::new(
        "sys-aslr",
        "1.5.1",
        Level::One,
        "programs lie at random addresses",
        "whoever does not know an address cannot jump there",
        &keys("sys-aslr", &[("kernel.randomize_va_space", "2")]),
    )
    .baseline(),
    Rule::new(
        "sys-ptrace",
        "1.5.2",
        Level::One,
        "programs are traced by their own parents only",
        "a compromised program could read keys and passwords out of the other ones of its user",
        &keys("sys-ptrace", &[("kernel.yama.ptrace_scope", "1")]),
    )
    .baseline(),
    Rule::new(
        "sys-suid-dumpable",
        "1.5.3",
        Level::One,
        "programs with other rights than their user's leave no core",
        "it would hold what the user may not read",
        &keys("sys-suid-dumpable", &[("fs.suid_dumpable", "0")]),
    )
    .baseline(),
    Rule::new(
        "sys-core-pattern",
        "",
        Level::None,
        "cores are thrown away",
        "a core holds keys and passwords; systemd-coredump and apport set this to themselves when they start",
        &keys("sys-core-pattern", &[("kernel.core_pattern", "|/bin/false")]),
    ),
    Rule::new(
        "sys-core-pid",
        "",
        Level::None,
        "a core's name has the number of its process",
        "no core takes the place of another one's, or of a file that lies there",
        &keys("sys-core-pid", &[("kernel.core_uses_pid", "1")]),
    )
    .baseline(),
    Rule::new(
        "sys-dmesg",
        "",
        Level::None,
        "the kernel's log is root's",
        "it tells addresses and devices that an attack on the kernel needs to know",
        &keys("sys-dmesg", &[("kernel.dmesg_restrict", "1")]),
    )
    .baseline(),
    Rule::new(
        "sys-kptr",
        "",
        Level::None,
        "addresses of the kernel are shown to nobody",
        "an attack on the kernel needs them",
        &keys("sys-kptr", &[("kernel.kptr_restrict", "2")]),
    )
    .baseline(),
    Rule::new(
        "sys-perf",
        "",
        Level::None,
        "performance counters are root's",
        "they tell what other programs do, and had many holes; kernels without the patch of Debian's know 2 at most \
         and take 3 for it",
        &keys("sys-perf", &[("kernel.perf_event_paranoid", "3")]),
    )
    .baseline(),
    Rule::new(
        "sys-bpf",
        "",
        Level::None,
        "BPF programs are root's",
        "the verifier of BPF was the way into the kernel many times",
        &keys("sys-bpf", &[("kernel.unprivileged_bpf_disabled", "1")]),
    )
    .baseline(),
    Rule::new(
        "sys-bpf-jit",
        "",
        Level::None,
        "code that BPF programs become is blinded",
        "constants of a program of one's own would be instructions at a known place of the kernel",
        &keys("sys-bpf-jit", &[("net.core.bpf_jit_harden", "2")]),
    )
    .baseline(),
    Rule::new(
        "sys-ldisc",
        "",
        Level::None,
        "line disciplines of terminals are loaded by root only",
        "they are old code that anybody could have loaded, with holes",
        &keys("sys-ldisc", &[("dev.tty.ldisc_autoload", "0")]),
    )
    .baseline(),
    Rule::new(
        "sys-ctrl-alt-del",
        "",
        Level::None,
        "Ctrl-Alt-Del does not reboot",
        "whoever is at a console without being logged in could reboot the machine",
        &CtrlAltDel(keys("sys-ctrl-alt-del", &[("kernel.ctrl-alt-del", "0")])),
    )
    .baseline(),
    Rule::new(
        "sys-sysrq",
        "",
        Level::None,
        "the kernel takes no orders from a console",
        "SysRq kills, dumps memory and reboots without anybody logged in",
        &keys("sys-sysrq", &[("kernel.sysrq", "0")]),
    )
    .baseline(),
    Rule::new(
        "sys-protected-links",
        "",
        Level::None,
        "links, FIFOs and files in shared directories are trusted only when they are their user's",
        "somebody could lay one where a program of root's is about to write",
        &keys(
            "sys-protected-links",
            &[
                ("fs.protected_hardlinks", "1"),
                ("fs.protected_symlinks", "1"),
                ("fs.protected_fifos", "2"),
                ("fs.protected_regular", "2"),
            ],
        ),
    )
    .baseline(),
    Rule::new(
        "sys-kexec",
        "",
        Level::None,
        "no other kernel is started from the running one",
        "it would come without the boot loader's checks; kdump needs it",
        &keys("sys-kexec", &[("kernel.kexec_load_disabled", "1")]),
    ),
    Rule::new(
        "sys-modules-disabled",
        "",
        Level::None,
        "modules can still be loaded once the machine is up",
        "nftables, Docker and growpart load theirs later: the machine would be without firewall",
        &Never("kernel.modules_disabled", "1"),
    ),
    Rule::new(
        "sys-userfaultfd",
        "",
        Level::None,
        "page faults of the kernel are handled by root's programs only",
        "whoever can hold the kernel at a place of his choice wins its races",
        &keys("sys-userfaultfd", &[("vm.unprivileged_userfaultfd", "0")]),
    ),
    Rule::new(
        "sys-tiocsti",
        "",
        Level::None,
        "programs put no letters into a terminal's input",
        "a program that was started with less rights could type into the shell behind it",
        &Keys { new: true, ..keys("sys-tiocsti", &[("dev.tty.legacy_tiocsti", "0")]) },
    ),
    Rule::new(
        "sys-io-uring",
        "",
        Level::None,
        "io_uring is off",
        "it is a second way into the kernel, with many holes; databases and Node.js use it",
        &Keys { new: true, ..keys("sys-io-uring", &[("kernel.io_uring_disabled", "2")]) },
    ),
    Rule::new(
        "sys-rfc1337",
        "",
        Level::None,
        "resets do not end connections that are being closed",
        "late packets of an old connection could disturb a new one (RFC 1337)",
        &keys("sys-rfc1337", &[("net.ipv4.tcp_rfc1337", "1")]),
    ),
    Rule::new(
        "sys-mmap-min",
        "",
        Level::None,
        "programs have no memory at the lowest addresses",
        "an error of the kernel's with a null pointer would read what a program has put there",
        &keys("sys-mmap-min", &[("vm.mmap_min_addr", "65536")]),
    ),
    Rule::new(
        "sys-ipv6-off",
        "3.1.1",
        Level::None,
        "IPv6 is off on all interfaces but the loopback",
        "an address that nobody knows of is guarded by nobody; metadata services and clouds with IPv6 alone need it",
        &keys(
            "sys-ipv6-off",
            &[
                ("net.ipv6.conf.all.disable_ipv6", "1"),
                ("net.ipv6.conf.default.disable_ipv6", "1"),
                ("net.ipv6.conf.lo.disable_ipv6", "0"),
            ],
        ),
    ),
];

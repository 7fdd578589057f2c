//! What is emulated, and QEMU's command line for it.
//!
//! Options as of QEMU 7.2 (`qemu-system-x86_64(1)`); tried with 10.0. The machine is a q35: SeaBIOS boots virtio and NVMe
//! disks of it, and OVMF too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::instance::DiskBus;

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its file; a relative name is one of QEMU's working directory.
    pub file: PathBuf,
    /// `qcow2`, `raw`.
    pub format: &'static str,
    /// How it is attached.
    pub bus: DiskBus,
    /// At most 20 characters.
    pub serial: Option<String>,
    /// What is written is thrown away.
    pub snapshot: bool,
    /// Nothing is written.
    pub read_only: bool,
}

/// What a network card is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// QEMU's user network.
    User {
        /// Ports of 127.0.0.1 by the guest's.
        ports: BTreeMap<u16, u16>,
        /// The command that each connection to 169.254.169.254:80 is given to.
        metadata: Option<String>,
    },
    /// A switch on a Unix socket.
    Switch(PathBuf),
    /// A multicast group of this host: address and port.
    Multicast(String),
}

/// How QEMU comes back to a switch that was started anew (`net/stream.c`): the option came with QEMU 8, and another with
/// 9.2, which took the first one's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reconnect {
    /// `reconnect-ms`.
    #[default]
    Milliseconds,
    /// `reconnect`.
    Seconds,
    /// QEMU 7.2, the first one with such networks.
    Never,
}

impl Reconnect {
    /// That of an older QEMU.
    pub fn older(self) -> Option<Self> {
        match self {
            Self::Milliseconds => Some(Self::Seconds),
            Self::Seconds => Some(Self::Never),
            Self::Never => None,
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Milliseconds => ",reconnect-ms=1000",
            Self::Seconds => ",reconnect=1",
            Self::Never => "",
        }
    }
}

/// A network card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// What it is connected to.
    pub link: Link,
    /// Its hardware address.
    pub mac: Option<String>,
    /// What passes it is written there, as pcap.
    pub capture: Option<PathBuf>,
    /// It is booted from once.
    pub boot: bool,
}

/// What the firmware tells of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smbios {
    /// `t3.small`.
    pub product: String,
    /// `i-…`.
    pub instance: String,
}

/// UEFI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// The code; it is not written to.
    pub code: PathBuf,
    /// This machine's variables; none are kept where there is no file.
    pub variables: Option<PathBuf>,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// `kvm` or `tcg`.
    pub accel: String,
    /// Processors.
    pub processors: u32,
    /// MiB.
    pub memory: u64,
    /// Its UUID.
    pub uuid: Option<String>,
    /// EC2's marks.
    pub smbios: Option<Smbios>,
    /// UEFI instead of BIOS.
    pub firmware: Option<Firmware>,
    /// Disks; the first is booted from.
    pub disks: Vec<Disk>,
    /// Network cards.
    pub cards: Vec<Card>,
    /// All that the serial port says goes there.
    pub console: PathBuf,
    /// The socket of QEMU's monitor.
    pub monitor: Option<PathBuf>,
    /// The machine ends where it would start again.
    pub ends_at_reboot: bool,
    /// How cards come back to their switch.
    pub reconnect: Reconnect,
}

impl Machine {
    /// The arguments of QEMU.
    pub fn arguments(&self) -> Vec<String> {
        let mut list: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| list.extend(words.iter().map(|word| (*word).to_owned()));
        let netboot = self.cards.iter().any(|card| card.boot);
        // What SeaBIOS and PXE say can be seen on the serial port only without graphics.
        let graphics = if netboot { "q35,graphics=off" } else { "q35" };
        let accel = if self.accel == "tcg" { "tcg,thread=multi" } else { &self.accel };
        add(&["-nodefaults", "-no-user-config", "-machine", graphics, "-accel", accel, "-cpu", "max"]);
        add(&["-smp", &self.processors.to_string(), "-m", &self.memory.to_string()]);
        add(&["-display", "none", "-vga", "none", "-device", "virtio-rng-pci"]);
        if self.ends_at_reboot {
            add(&["-no-reboot"]);
        }
        if let Some(uuid) = &self.uuid {
            add(&["-uuid", uuid]);
        }
        self.smbios(&mut add);
        if let Some(firmware) = &self.firmware {
            let code = file(&firmware.code);
            add(&["-drive", &format!("if=pflash,unit=0,format=raw,readonly=on,file={code}")]);
            if let Some(variables) = &firmware.variables {
                add(&["-drive", &format!("if=pflash,unit=1,format=raw,file={}", file(variables))]);
            }
        }
        for (number, disk) in self.disks.iter().enumerate() {
            self.disk(number, disk, netboot, &mut add);
        }
        for (number, card) in self.cards.iter().enumerate() {
            self.card(number, card, &mut add);
        }
        if netboot && self.firmware.is_none() {
            // A machine without a system waits for its server. UEFI goes by the order of the devices instead.
            add(&["-boot", "order=cn,once=nc,reboot-timeout=5000"]);
        }
        add(&["-chardev", &format!("file,id=console,path={}", file(&self.console))]);
        add(&["-serial", "chardev:console"]);
        match &self.monitor {
            Some(monitor) => {
                add(&["-qmp", &format!("unix:{},server=on,wait=off", file(monitor))]);
            }
            None => add(&["-monitor", "none"]),
        }
        list
    }

    /// What Nitro's machines say of themselves (`/sys/class/dmi/id`).
    fn smbios(&self, add: &mut dyn FnMut(&[&str])) {
        let Some(smbios) = &self.smbios else { return };
        let uuid = self.uuid.as_deref().unwrap_or_default();
        let (product, instance) = (value(&smbios.product), value(&smbios.instance));
        add(&["-smbios", "type=0,vendor=Amazon EC2,version=1.0"]);
        add(&[
            "-smbios",
            &format!("type=1,manufacturer=Amazon EC2,product={product},uuid={uuid},serial={uuid}"),
        ]);
        add(&["-smbios", &format!("type=2,manufacturer=Amazon EC2,asset={instance}")]);
        add(&["-smbios", "type=3,manufacturer=Amazon EC2,asset=Amazon EC2"]);
    }

    fn disk(&self, number: usize, disk: &Disk, netboot: bool, add: &mut dyn FnMut(&[&str])) {
        let mut drive = format!(
            "if=none,id=disk{number},format={},file={},cache=unsafe,discard=unmap",
            disk.format,
            file(&disk.file)
        );
        if disk.snapshot {
            drive.push_str(",snapshot=on");
        }
        if disk.read_only {
            drive.push_str(",readonly=on");
        }
        add(&["-drive", &drive]);
        let mut device = match disk.bus {
            DiskBus::Virtio => format!("virtio-blk-pci,drive=disk{number}"),
            DiskBus::Nvme => format!("nvme,drive=disk{number}"),
        };
        // NVMe wants one in any case.
        let serial = disk.serial.clone().or((disk.bus == DiskBus::Nvme).then(|| format!("disk{number}")));
        if let Some(serial) = serial {
            device.push_str(&format!(",serial={}", value(&serial)));
        }
        // An order of devices would outrank `once`.
        match (number == 0, netboot, self.firmware.is_some()) {
            (true, false, _) => device.push_str(",bootindex=0"),
            (true, true, true) => device.push_str(",bootindex=1"),
            _ => {}
        }
        add(&["-device", &device]);
    }

    fn card(&self, number: usize, card: &Card, add: &mut dyn FnMut(&[&str])) {
        let netdev = match &card.link {
            Link::User { ports, metadata } => {
                let mut netdev = format!("user,id=net{number}");
                if metadata.is_some() {
                    // The service's address has to lie inside the network.
                    netdev.push_str(",net=169.254.0.0/16,dhcpstart=169.254.0.15");
                }
                for (guest, host) in ports {
                    netdev.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
                }
                if let Some(command) = metadata {
                    netdev.push_str(&format!(",guestfwd=tcp:169.254.169.254:80-cmd:{}", value(command)));
                }
                netdev
            }
            Link::Switch(socket) => format!(
                "stream,id=net{number},server=off,addr.type=unix,addr.path={}{}",
                file(socket),
                self.reconnect.option()
            ),
            Link::Multicast(group) => {
                format!("socket,id=net{number},mcast={},localaddr=127.0.0.1", value(group))
            }
        };
        add(&["-netdev", &netdev]);
        let mut device = format!("virtio-net-pci,netdev=net{number}");
        if let Some(mac) = &card.mac {
            device.push_str(&format!(",mac={}", value(mac)));
        }
        if card.boot && self.firmware.is_some() {
            device.push_str(",bootindex=0");
        }
        if !card.boot && self.cards.iter().any(|card| card.boot) {
            // Without its ROM it does not boot.
            device.push_str(",romfile=");
        }
        add(&["-device", &device]);
        if let Some(capture) = &card.capture {
            let dump = format!("filter-dump,id=dump{number},netdev=net{number},file={}", file(capture));
            add(&["-object", &dump]);
        }
    }
}

/// A file in an option: a comma is doubled, and a name with a colon does not look like a protocol.
fn file(path: &Path) -> String {
    let text = value(&path.display().to_string());
    if path.is_relative() && text.contains(':') { format!("./{text}") } else { text }
}

/// A value in an option.
fn value(text: &str) -> String {
    text.replace(',', ",,")
}

//! Sockets that play QEMUs.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::network::dhcp::tests::message;
use crate::network::frame::{BROADCAST, IPV4, Packet, ethernet, udp};
use crate::network::plan::Mac;

/// Runs a switch while `then` uses it.
fn switched(then: impl FnOnce(&dyn Fn() -> Guest, Plan)) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let plan = Plan::of("n").unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let switch = scope
            .spawn(|| run(&listener, plan, Duration::from_millis(10), &mut |_| over.load(Ordering::Relaxed)));
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            then(&|| Guest(UnixStream::connect(&path).unwrap()), plan);
        }));
        over.store(true, Ordering::Relaxed);
        switch.join().unwrap().unwrap();
        if let Err(panic) = failed {
            std::panic::resume_unwind(panic);
        }
    });
}

struct Guest(UnixStream);

impl Guest {
    fn send(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap();
        self.0.write_all(&[&length.to_be_bytes(), frame].concat()).unwrap();
    }

    fn receive(&mut self) -> Vec<u8> {
        self.0.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap();
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.0.read_exact(&mut frame).unwrap();
        frame
    }

    /// Sends what the switch answers, so that all before has been dealt with: a ping of DHCP's kind.
    fn settle(&mut self, plan: Plan, number: u8) {
        let frame = discover(plan, plan.mac(number, false));
        self.send(&frame);
        // Others' frames may come before.
        while Ethernet::parse(&self.receive()).unwrap().from != plan.own_mac() {}
    }
}

fn discover(_: Plan, mac: Mac) -> Vec<u8> {
    let none = Ipv4Addr::UNSPECIFIED;
    let packet = udp((none, 68), (Ipv4Addr::BROADCAST, 67), &message(mac, 1, none, &[])).unwrap();
    ethernet(BROADCAST, mac, IPV4, &packet)
}

#[test]
fn frames_go_where_they_belong() {
    switched(|guest, plan| {
        let (mut one, mut two, mut three) = (guest(), guest(), guest());
        for (number, port) in [(10, &mut one), (11, &mut two), (12, &mut three)] {
            port.settle(plan, number);
        }
        let mac = |number| plan.mac(number, false);
        let hello = ethernet(BROADCAST, mac(10), 0x88b5, b"to all");
        one.send(&hello);
        assert_eq!((two.receive(), three.receive()), (hello.clone(), hello));
        let back = ethernet(mac(10), mac(11), 0x88b5, b"to one");
        two.send(&back);
        assert_eq!(one.receive(), back);
        // The third has heard nothing of it: what it gets next is its own answer.
        three.settle(plan, 12);
        let unknown = ethernet([2, 0, 0, 0, 0, 9], mac(11), 0x88b5, b"to somebody");
        two.send(&unknown);
        assert_eq!((one.receive(), three.receive()), (unknown.clone(), unknown));
        // One that boots from the network asks the others.
        let boot = discover(plan, plan.mac(13, true));
        three.send(&boot);
        assert_eq!((one.receive(), two.receive()), (boot.clone(), boot));
        // It goes and comes back, by another port.
        drop(one);
        let mut one = guest();
        one.settle(plan, 10);
        two.send(&back);
        assert_eq!(one.receive(), back);
    });
}

#[test]
fn an_address_by_dhcp() {
    switched(|guest, plan| {
        let mut one = guest();
        let mac = plan.mac(77, false);
        let none = Ipv4Addr::UNSPECIFIED;
        one.send(&discover(plan, mac));
        let offer = one.receive();
        let packet = Packet::parse(Ethernet::parse(&offer).unwrap().rest).unwrap();
        assert_eq!((packet.from, packet.to), (plan.own_address(), plan.address(77)));
        let request = message(mac, 3, none, &[(50, plan.address(77)), (54, plan.own_address())]);
        let request = udp((none, 68), (Ipv4Addr::BROADCAST, 67), &request).unwrap();
        one.send(&ethernet(BROADCAST, mac, IPV4, &request));
        let ack = one.receive();
        assert!(ack.windows(3).any(|option| option == [53, 1, 5]), "{}", ack.escape_ascii());
    });
}

#[test]
fn slow_and_broken_members_hold_nobody_up() {
    switched(|guest, plan| {
        let (mut one, mut two, slow) = (guest(), guest(), guest());
        one.settle(plan, 10);
        two.settle(plan, 11);
        let big = ethernet(BROADCAST, plan.mac(10, false), 0x88b5, &[7; 60_000]);
        // More than the queue and the socket's buffer can have for the one that does not read.
        for _ in 0..60 {
            one.send(&big);
            assert_eq!(two.receive(), big);
        }
        drop(slow);
        for broken in [&[0, 0, 0, 0][..], &[0xff; 8], &[0, 1, 0x10, 1], &[0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0]] {
            let mut bad = guest();
            bad.0.write_all(broken).unwrap();
            bad.0.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            // The switch hangs up; what it had flooded may come before.
            let mut rest = Vec::new();
            let _ = bad.0.read_to_end(&mut rest);
        }
        two.settle(plan, 11);
    });
}

#[test]
fn hostile_frames() {
    switched(|guest, plan| {
        let mut one = guest();
        let pattern = discover(plan, plan.mac(10, false));
        let mut state = 0x9e37_79b9_u32;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as usize % below
        };
        one.0.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut drain = one.0.try_clone().unwrap();
        let reader = std::thread::spawn(move || std::io::copy(&mut drain, &mut std::io::sink()));
        for _ in 0..5000 {
            let mut frame = pattern.clone();
            frame.truncate(1 + next(pattern.len()));
            for _ in 0..=next(4) {
                let at = next(frame.len());
                frame[at] = next(256) as u8;
            }
            one.send(&frame);
        }
        one.0.shutdown(std::net::Shutdown::Both).unwrap();
        let _ = reader.join();
        guest().settle(plan, 11);
    });
}

//! Who is behind which port.

use std::collections::HashMap;

use crate::network::plan::Mac;

/// Addresses behind one port. A guest may have some of its own (bridges, containers); more are found by asking everybody.
const MOST: usize = 64;

#[derive(Default)]
pub(super) struct Table {
    ports: HashMap<Mac, u64>,
    counts: HashMap<u64, usize>,
}

impl Table {
    pub(super) fn learn(&mut self, mac: Mac, port: u64) {
        if self.ports.get(&mac) == Some(&port) {
            return;
        }
        let count = self.counts.entry(port).or_default();
        if *count >= MOST {
            return;
        }
        *count += 1;
        // It moved: a machine that came back by another port.
        if let Some(before) = self.ports.insert(mac, port)
            && let Some(count) = self.counts.get_mut(&before)
        {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn port(&self, mac: Mac) -> Option<u64> {
        self.ports.get(&mac).copied()
    }

    pub(super) fn forget(&mut self, port: u64) {
        self.ports.retain(|_, known| *known != port);
        self.counts.remove(&port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_forgets() {
        let mut table = Table::default();
        for number in 0..200 {
            table.learn([2, 0, 0, 0, 0, number], 1);
        }
        assert_eq!(table.ports.len(), MOST);
        table.learn([2, 0, 0, 0, 0, 0], 2);
        assert_eq!((table.port([2, 0, 0, 0, 0, 0]), table.port([2, 0, 0, 0, 0, 1])), (Some(2), Some(1)));
        table.learn([2, 0, 0, 0, 0, 199], 1);
        assert_eq!(table.port([2, 0, 0, 0, 0, 199]), Some(1));
        table.forget(1);
        assert_eq!((table.ports.len(), table.counts.len()), (1, 1));
    }
}

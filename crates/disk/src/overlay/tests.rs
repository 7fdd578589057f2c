#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

use super::*;
use crate::Window;

/// A disk that is data in its second 64 KiB only, and says so.
struct Sparse(Vec<u8>);

impl Sparse {
    fn new(size: usize) -> Self {
        let mut bytes = vec![0; size];
        bytes[65_536..131_072].fill(9);
        Self(bytes)
    }
}

impl BlockSource for Sparse {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        self.0.read_at(offset, buf)
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        let range = within.start.max(65_536)..within.end.min(131_072);
        Ok(if range.is_empty() { vec![] } else { vec![range] })
    }
}

/// Not a multiple of the page.
const SIZE: usize = (3 << 20) + 512;

#[test]
fn reads_and_writes_agree_with_a_plain_copy() {
    let overlay = Overlay::new(Sparse::new(SIZE));
    let mut model = Sparse::new(SIZE).0;
    let mut seed = 1_u64;
    let mut random = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % limit
    };
    for round in 0..400 {
        let start = random(SIZE);
        let length = (1 << random(17)).min(SIZE - start);
        if round % 2 == 0 {
            let bytes = vec![round as u8; length];
            overlay.write_at(start as u64, &bytes).unwrap();
            model[start..start + length].copy_from_slice(&bytes);
        } else {
            let mut got = vec![1; length];
            overlay.read_at(start as u64, &mut got).unwrap();
            assert!(got == model[start..start + length], "round {round}: {length} bytes at {start}");
        }
    }
    let mut all = vec![1; SIZE];
    overlay.read_at(0, &mut all).unwrap();
    assert!(all == model);
    assert!(overlay.below().0 == Sparse::new(SIZE).0, "the disk below has changed");
    let mut at = 0;
    for range in overlay.data_ranges(0..SIZE as u64).unwrap() {
        assert!(model[at..range.start as usize].iter().all(|byte| *byte == 0), "data before {range:?}");
        at = range.end as usize;
    }
    assert!(model[at..].iter().all(|byte| *byte == 0));
}

#[test]
fn ranges_are_merged_and_clipped() {
    let overlay = Overlay::new(Sparse::new(SIZE));
    assert_eq!(overlay.changed_bytes(), 0);
    overlay.write_at(131_072, &[1]).unwrap();
    overlay.write_at(1 << 20, &[1; 5000]).unwrap();
    overlay.write_at(SIZE as u64 - 1, &[1]).unwrap();
    assert_eq!(overlay.changed_bytes(), 4 * 4096);
    let end = SIZE as u64;
    assert_eq!(
        overlay.data_ranges(0..end).unwrap(),
        [65_536..135_168, 1 << 20..(1 << 20) + 8192, end - 512..end]
    );
    assert_eq!(overlay.data_ranges(70_000..132_000).unwrap(), [70_000..132_000]);
    assert_eq!(overlay.data_ranges(200_000..300_000).unwrap(), []);
    let window = Window::new(&overlay, 65_536..131_584).unwrap();
    assert_eq!(window.data_ranges(0..window.len()).unwrap(), [0..window.len()]);
}

#[test]
fn changes_are_told_in_whole_pages() {
    let overlay = Overlay::new(Sparse::new(SIZE));
    assert_eq!(overlay.changed_ranges(0..u64::MAX), []);
    for (offset, length) in [(4096, 1), (8192, 4096), (1 << 20, 5000), (SIZE as u64 - 1, 1)] {
        overlay.write_at(offset, &vec![1; length]).unwrap();
    }
    let end = SIZE as u64;
    assert_eq!(
        overlay.changed_ranges(0..u64::MAX),
        [4096..12_288, 1 << 20..(1 << 20) + 8192, end - 512..end]
    );
    assert_eq!(overlay.changed_ranges(5000..(1 << 20) + 1), [5000..12_288, 1 << 20..(1 << 20) + 1]);
    assert_eq!(overlay.changed_ranges(12_288..1 << 20), []);
}

#[test]
fn a_grown_disk_is_zero_behind_the_old_end() {
    let mut below = Sparse::new(SIZE);
    below.0[SIZE - 3..].fill(7);
    let size = SIZE as u64 + 10_000;
    let overlay = Overlay::with_size(&below, size);
    assert_eq!(overlay.len(), size);
    assert_eq!(Overlay::with_size(&below, 5).len(), SIZE as u64, "a disk never becomes shorter");
    assert_eq!(overlay.data_ranges(0..size).unwrap(), [65_536..131_072]);
    // The page that the old end lies in: its bytes of the disk below stay.
    overlay.write_at(SIZE as u64 + 100, &[3; 2]).unwrap();
    let mut got = vec![1; 10_003];
    overlay.read_at(SIZE as u64 - 3, &mut got).unwrap();
    let mut expected = vec![0; 10_003];
    expected[..3].fill(7);
    expected[103..105].fill(3);
    assert!(got == expected);

    overlay.grow(size - 1);
    assert_eq!(overlay.len(), size);
    overlay.grow(1 << 40);
    overlay.write_at((1 << 40) - 1, &[5]).unwrap();
    assert!(overlay.write_at(1 << 40, &[5]).is_err());
    let last = overlay.data_ranges(size..1 << 40).unwrap();
    assert_eq!(last, [(1 << 40) - 4096..1 << 40]);
    assert_eq!(overlay.changed_ranges(0..u64::MAX).len(), 2);
}

#[test]
fn nothing_is_written_beyond_the_end() {
    let overlay = Overlay::new(vec![0; 512]);
    assert!(overlay.write_at(511, &[1, 2]).is_err());
    assert!(overlay.write_at(u64::MAX, &[1, 2]).is_err());
    assert_eq!(overlay.changed_bytes(), 0);
    assert!(overlay.read_at(512, &mut [0]).is_err());
    overlay.read_at(512, &mut []).unwrap();
}

#[test]
fn threads_write_side_by_side() {
    let overlay = Overlay::new(vec![0; 4 << 20]);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let overlay = &overlay;
            scope.spawn(move || {
                for page in (thread..1024).step_by(4) {
                    overlay.write_at(page * 4096 + 100, &[thread as u8 + 1; 50]).unwrap();
                }
            });
        }
    });
    for page in 0..1024_u64 {
        let mut got = [0; 50];
        overlay.read_at(page * 4096 + 100, &mut got).unwrap();
        assert_eq!(got, [(page % 4) as u8 + 1; 50]);
    }
}

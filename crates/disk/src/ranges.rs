//! Lists of ranges of a disk, in bytes or blocks: ascending, disjoint, none empty.

use std::ops::Range;

/// Makes a list of any ranges: sorted, those that touch or overlap joined, empty ones left out.
#[must_use]
pub fn merge(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, last| {
        let joined = next.start <= last.end;
        if joined {
            last.end = last.end.max(next.end);
        }
        joined
    });
    ranges
}

/// Those of a list's ranges that touch `within`, found without a look at the others.
#[must_use]
pub fn touching<'a>(list: &'a [Range<u64>], within: &Range<u64>) -> &'a [Range<u64>] {
    let first = list.partition_point(|range| range.end <= within.start);
    let rest = &list[first..];
    let count = rest.partition_point(|range| range.start < within.end);
    if within.is_empty() { &[] } else { &rest[..count] }
}

/// The parts of `within` that none of a list's ranges covers, ascending.
#[must_use]
pub fn uncovered(list: &[Range<u64>], within: Range<u64>) -> Vec<Range<u64>> {
    let mut parts = Vec::new();
    let mut at = within.start;
    for range in touching(list, &within) {
        if range.start > at {
            parts.push(at..range.start);
        }
        at = range.end;
    }
    if at < within.end {
        parts.push(at..within.end);
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::single_range_in_vec_init)]

    use super::*;

    #[test]
    fn lists_are_merged_searched_and_subtracted() {
        let list = merge(vec![20..30, 5..5, 0..4, 4..6, 22..25, 40..41]);
        assert_eq!(list, [0..6, 20..30, 40..41]);
        let empty: [Range<u64>; 0] = [];
        for (within, touched, left) in [
            (0..50, &list[..], vec![6..20, 30..40, 41..50]),
            (6..20, &empty[..], vec![6..20]),
            (5..21, &list[..2], vec![6..20]),
            (29..41, &list[1..], vec![30..40]),
            (22..28, &list[1..2], vec![]),
            (25..25, &empty[..], vec![]),
            (41..60, &empty[..], vec![41..60]),
        ] {
            assert_eq!(touching(&list, &within), touched, "{within:?}");
            assert_eq!(uncovered(&list, within.clone()), left, "{within:?}");
        }
    }
}

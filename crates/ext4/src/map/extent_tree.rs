//! The tree of a file's extents: looking up, reading it whole, and building it anew.
//!
//! A change reads all extents, changes the list and stores it as a tree of full nodes. Blocks of the old
//! tree are used again in order, so that an addition at the end rewrites the end alone. A tree of which
//! two nodes share a block is refused: the time to read one is bounded by its blocks.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Run;
use super::extent::{self, Child, END, Extent, MOST_BLOCKS, MOST_LEVELS, Node, ROOT_ENTRIES};
use crate::Error;
use crate::bytes::low_u32;
use crate::inode::{Inode, flag};
use crate::volume::Volume;

/// A file's extents and the blocks of its tree.
#[derive(Debug, Default)]
struct Tree {
    extents: Vec<Extent>,
    /// Blocks of the leaves, in order, then those of the levels above.
    levels: Vec<Vec<u64>>,
}

fn hole(logical: u64, end: u64) -> Run {
    Run { physical: None, length: end.saturating_sub(logical).max(1), unwritten: false }
}

/// What `extents` say of the block `logical` of the file; they are all that there are below `end`.
pub(super) fn run_at(extents: &[Extent], logical: u64, end: u64) -> Run {
    let index = extents.partition_point(|extent| extent.end() <= logical);
    match extents.get(index) {
        None if end == END => hole(logical, u64::MAX),
        None => hole(logical, end),
        Some(extent) if u64::from(extent.logical) > logical => hole(logical, extent.logical.into()),
        Some(extent) => Run {
            physical: Some(extent.physical + (logical - u64::from(extent.logical))),
            length: extent.end() - logical,
            unwritten: extent.unwritten,
        },
    }
}

impl Volume {
    /// An empty root.
    pub(super) fn init_extents(inode: &mut Inode) {
        extent::store(&Node::Leaf(Vec::new()), 0, ROOT_ENTRIES, inode.block_area_mut());
        inode.set_flags(inode.flags() | flag::EXTENTS);
    }

    /// Looks up one block of a file: reads one node per level.
    pub(super) fn map_extent(&self, inode: &Inode, logical: u64) -> Result<Run, Error> {
        if logical >= END {
            return Ok(hole(logical, u64::MAX));
        }
        let (mut node, mut level) = self.extent_root(inode)?;
        let mut within = 0..END;
        loop {
            match node {
                Node::Index(children) => {
                    let next = children.partition_point(|child| u64::from(child.logical) <= logical);
                    if let Some(after) = children.get(next) {
                        within.end = after.logical.into();
                    }
                    let Some(child) = next.checked_sub(1).and_then(|index| children.get(index)) else {
                        return Ok(hole(logical, within.end));
                    };
                    within.start = child.logical.into();
                    level -= 1;
                    node = self.extent_node(inode, child.block, level, within.clone())?;
                }
                Node::Leaf(extents) => return Ok(run_at(&extents, logical, within.end)),
            }
        }
    }

    /// All extents of a file, in order.
    pub(super) fn extent_list(&self, inode: &Inode) -> Result<Vec<Extent>, Error> {
        Ok(self.read_tree(inode)?.extents)
    }

    fn read_tree(&self, inode: &Inode) -> Result<Tree, Error> {
        let (root, level) = self.extent_root(inode)?;
        let mut tree = Tree { extents: Vec::new(), levels: vec![Vec::new(); level.into()] };
        let mut seen = BTreeSet::new();
        self.read_nodes(inode, root, level, 0..END, &mut seen, &mut tree)?;
        Ok(tree)
    }

    /// Depth first, `level` deep at most: in the order of the file.
    fn read_nodes(
        &self,
        inode: &Inode,
        node: Node,
        level: u16,
        within: Range<u64>,
        seen: &mut BTreeSet<u64>,
        tree: &mut Tree,
    ) -> Result<(), Error> {
        let children = match node {
            Node::Leaf(extents) => {
                tree.extents.extend(extents);
                return Ok(());
            }
            Node::Index(children) => children,
        };
        let below = level - 1;
        for (index, child) in children.iter().enumerate() {
            if !seen.insert(child.block) {
                return Err(Error::Damaged(format!(
                    "inode {}: extent block {} is used twice",
                    inode.number, child.block
                )));
            }
            let end = children.get(index + 1).map_or(within.end, |next| next.logical.into());
            let within = u64::from(child.logical)..end;
            let node = self.extent_node(inode, child.block, below, within.clone())?;
            if let Some(blocks) = tree.levels.get_mut(usize::from(below)) {
                blocks.push(child.block);
            }
            self.read_nodes(inode, node, below, within, seen, tree)?;
        }
        Ok(())
    }

    /// Stores `extents` as the file's tree, in the place of `old`.
    fn write_tree(&mut self, inode: &mut Inode, old: &Tree, extents: Vec<Extent>) -> Result<(), Error> {
        let most = usize::from(extent::capacity(self.block_size()));
        let counts = level_counts(extents.len(), most);
        if counts.len() > usize::from(MOST_LEVELS) {
            return Err(Error::Operation {
                path: String::new(),
                action: "map its content",
                what: format!("{} extents need more than {MOST_LEVELS} levels", extents.len()),
            });
        }
        let (mut homes, surplus) = self.node_homes(inode, old, &extents, &counts)?;
        let mut node = Node::Leaf(Vec::new());
        let mut children = Vec::new();
        for (level, count) in (0_u16..).zip(&counts) {
            let blocks = homes.drain(..*count).collect::<Vec<_>>();
            let above = if level == 0 {
                self.write_level(inode, level, &blocks, &extents, |extent| extent.logical, Node::Leaf, most)?
            } else {
                self.write_level(inode, level, &blocks, &children, |child| child.logical, Node::Index, most)?
            };
            children = above;
            node = Node::Index(Vec::new());
        }
        let root = match node {
            Node::Leaf(_) => Node::Leaf(extents),
            Node::Index(_) => Node::Index(children),
        };
        let depth = u16::try_from(counts.len()).unwrap_or(MOST_LEVELS);
        extent::store(&root, depth, ROOT_ENTRIES, inode.block_area_mut());
        self.free_ranges_of(surplus.into_iter().map(|block| block..block + 1).collect())
    }

    /// Blocks for the nodes, leaves first: those of the old tree, then new ones. Also those of the
    /// old tree that are needed no more.
    fn node_homes(
        &mut self,
        inode: &mut Inode,
        old: &Tree,
        extents: &[Extent],
        counts: &[usize],
    ) -> Result<(Vec<u64>, Vec<u64>), Error> {
        let had: usize = old.levels.iter().map(Vec::len).sum();
        let needed: usize = counts.iter().sum();
        let goal = match extents.last() {
            Some(extent) => extent.blocks().end,
            None => self.inode_goal(inode.number),
        };
        let new = self.allocate_blocks(needed.saturating_sub(had) as u64, goal)?;
        inode.add_blocks(&self.superblock, needed as i64 - had as i64);
        // A level keeps its own blocks where it can: what did not change is not written again.
        let mut kept: Vec<Vec<u64>> = Vec::new();
        let mut spare = Vec::new();
        for (level, blocks) in old.levels.iter().enumerate() {
            let keep = blocks.len().min(counts.get(level).copied().unwrap_or(0));
            kept.push(blocks.get(..keep).unwrap_or_default().to_vec());
            spare.extend_from_slice(blocks.get(keep..).unwrap_or_default());
        }
        let mut others = spare.into_iter().chain(new.into_iter().flatten());
        let mut homes = Vec::with_capacity(needed);
        for (level, count) in counts.iter().enumerate() {
            let own = kept.get(level).map(Vec::as_slice).unwrap_or_default();
            homes.extend_from_slice(own);
            homes.extend(others.by_ref().take(count - own.len()));
        }
        Ok((homes, others.collect()))
    }

    /// Writes the nodes of one level and answers the entries of the level above.
    #[allow(clippy::too_many_arguments)]
    fn write_level<T: Copy>(
        &mut self,
        inode: &Inode,
        level: u16,
        blocks: &[u64],
        entries: &[T],
        logical: impl Fn(&T) -> u32,
        node: impl Fn(Vec<T>) -> Node,
        most: usize,
    ) -> Result<Vec<Child>, Error> {
        let mut above = Vec::with_capacity(blocks.len());
        for (entries, block) in entries.chunks(most).zip(blocks) {
            let bytes = self.extent_block(inode, &node(entries.to_vec()), level);
            if self.read_block(*block)? != bytes {
                self.write_block(*block, bytes)?;
            }
            above.push(Child { logical: entries.first().map_or(0, &logical), block: *block });
        }
        Ok(above)
    }

    /// Sees to it that all blocks of the file in `logical` are mapped and count as written, and
    /// answers where they lie, in the file's order, and how many are new.
    pub(super) fn fill_extents(
        &mut self,
        inode: &mut Inode,
        logical: Range<u64>,
    ) -> Result<(Vec<Range<u64>>, u64), Error> {
        if logical.end > END {
            return Err(Error::Operation {
                path: String::new(),
                action: "write its content",
                what: format!("a file has at most {END} blocks, not {}", logical.end),
            });
        }
        let tree = self.read_tree(inode)?;
        let holes = holes(&tree.extents, &logical);
        let count: u64 = holes.iter().map(|hole| hole.end - hole.start).sum();
        let unwritten = tree.extents.iter().any(|extent| extent.unwritten && extent.part(&logical).is_some());
        let mut extents = Vec::new();
        if count == 0 && !unwritten {
            extents.clone_from(&tree.extents);
        } else {
            let goal = self.extent_goal(inode, &tree.extents, holes.first().map_or(0, |hole| hole.start));
            let new = self.allocate_blocks(count, goal)?;
            let mut list = cut_written(&tree.extents, &logical);
            list.extend(place(&holes, new));
            list.sort_unstable_by_key(|extent| extent.logical);
            for extent in list {
                push(&mut extents, extent);
            }
            inode.add_blocks(&self.superblock, i64::try_from(count).unwrap_or(i64::MAX));
            self.write_tree(inode, &tree, extents.clone()).map_err(|error| match error {
                // The blocks of the content are missing as well.
                Error::NoSpace { path, needed, free } => {
                    let bytes = count * u64::from(self.superblock.block_size);
                    Error::NoSpace { path, needed: needed + bytes, free: free + bytes }
                }
                error => error,
            })?;
        }
        let runs = extents.iter().filter_map(|extent| extent.part(&logical)).map(|extent| extent.blocks());
        Ok((runs.collect(), count))
    }

    /// Behind the blocks of the file before `logical`; near the inode when there are none.
    fn extent_goal(&self, inode: &Inode, extents: &[Extent], logical: u64) -> u64 {
        let index = extents.partition_point(|extent| u64::from(extent.logical) < logical);
        match index.checked_sub(1).and_then(|index| extents.get(index)) {
            Some(before) => before.blocks().end,
            None => self.inode_goal(inode.number),
        }
    }

    /// Unmaps and frees everything from block `logical` of the file on.
    pub(super) fn truncate_extents(&mut self, inode: &mut Inode, logical: u64) -> Result<(), Error> {
        let tree = self.read_tree(inode)?;
        if tree.extents.last().is_some_and(|last| last.end() <= logical) {
            return Ok(());
        }
        let kept = tree.extents.iter().filter_map(|extent| extent.part(&(0..logical))).collect();
        let gone: Vec<Range<u64>> = tree
            .extents
            .iter()
            .filter_map(|extent| extent.part(&(logical..END)))
            .map(|extent| extent.blocks())
            .collect();
        let count: u64 = gone.iter().map(|range| range.end - range.start).sum();
        self.free_ranges_of(gone)?;
        inode.add_blocks(&self.superblock, -i64::try_from(count).unwrap_or(i64::MAX));
        self.write_tree(inode, &tree, kept)
    }
}

#[cfg(test)]
impl Volume {
    /// Gives a file without blocks extents of the test's choice; their blocks are taken.
    pub(super) fn take_and_map(&mut self, inode: &mut Inode, extents: Vec<Extent>) -> Result<(), Error> {
        let tree = self.read_tree(inode)?;
        self.take_blocks(&hardtack_disk::ranges::merge(extents.iter().map(Extent::blocks).collect()))?;
        inode.add_blocks(&self.superblock, extents.len() as i64);
        self.write_tree(inode, &tree, extents)
    }

    /// All blocks that the tree names: contents, and the tree's own.
    pub(super) fn extent_blocks(&self, inode: &Inode) -> Result<(Vec<Range<u64>>, Vec<u64>), Error> {
        let tree = self.read_tree(inode)?;
        let content = tree.extents.iter().map(Extent::blocks).collect();
        Ok((hardtack_disk::ranges::merge(content), tree.levels.concat()))
    }
}

/// Nodes of each level below the root, leaves first; none when everything fits the root.
fn level_counts(extents: usize, most: usize) -> Vec<usize> {
    let mut counts = Vec::new();
    let mut entries = extents;
    while entries > usize::from(ROOT_ENTRIES) {
        entries = entries.div_ceil(most);
        counts.push(entries);
    }
    counts
}

/// The parts of `logical` that no extent maps.
fn holes(extents: &[Extent], logical: &Range<u64>) -> Vec<Range<u64>> {
    let mut holes = Vec::new();
    let mut next = logical.start;
    for extent in extents.iter().filter_map(|extent| extent.part(logical)) {
        let start = u64::from(extent.logical);
        if next < start {
            holes.push(next..start);
        }
        next = extent.end();
    }
    if next < logical.end {
        holes.push(next..logical.end);
    }
    holes
}

/// The extents, with what lies in `logical` cut out as extents that are written.
fn cut_written(extents: &[Extent], logical: &Range<u64>) -> Vec<Extent> {
    let mut list = Vec::with_capacity(extents.len());
    for extent in extents {
        let inside = extent.part(logical).filter(|_| extent.unwritten);
        let Some(inside) = inside else {
            list.push(*extent);
            continue;
        };
        list.extend(extent.part(&(0..logical.start)));
        list.push(Extent { unwritten: false, ..inside });
        list.extend(extent.part(&(logical.end..END)));
    }
    list
}

/// Extents that map `holes` to `blocks`, both in order and of the same length.
fn place(holes: &[Range<u64>], blocks: Vec<Range<u64>>) -> Vec<Extent> {
    let mut extents = Vec::new();
    let mut holes = holes.iter().cloned();
    let mut hole = holes.next().unwrap_or(0..0);
    for mut run in blocks {
        while run.start < run.end {
            if hole.start == hole.end {
                let Some(next) = holes.next() else { return extents };
                hole = next;
            }
            let length = (run.end - run.start).min(hole.end - hole.start).min(MOST_BLOCKS.into());
            extents.push(Extent {
                logical: low_u32(hole.start),
                length: low_u32(length),
                physical: run.start,
                unwritten: false,
            });
            run.start += length;
            hole.start += length;
        }
    }
    extents
}

/// Adds an extent behind the others, joined with the last one where they continue each other.
fn push(extents: &mut Vec<Extent>, extent: Extent) {
    if let Some(last) = extents.last_mut()
        && last.unwritten == extent.unwritten
        && last.end() == u64::from(extent.logical)
        && last.blocks().end == extent.physical
        // An unwritten extent is one block shorter at most: its length is stored plus 32768.
        && last.length + extent.length <= MOST_BLOCKS - u32::from(extent.unwritten)
    {
        last.length += extent.length;
        return;
    }
    extents.push(extent);
}

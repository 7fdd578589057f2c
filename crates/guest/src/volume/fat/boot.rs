//! The boot sector of a FAT file system: where its parts lie (Microsoft, "FAT: General Overview of
//! On-Disk Format", sections 3 to 5; for the width of the table's entries `fs/fat/inode.c`).

use std::ops::Range;

use hardtack_disk::BlockSource;

/// How wide the table's entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Fat12,
    Fat16,
    Fat32,
}

/// Where the root directory lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// FAT12 and FAT16: in a place of its own, these bytes.
    Fixed(Range<u64>),
    /// FAT32: a chain of clusters as any other directory.
    Cluster(u32),
}

/// Where everything lies, in bytes from the file system's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) width: Width,
    /// Bytes of a cluster, at most 512 KiB.
    pub(super) cluster: u64,
    /// Clusters are numbered from 2 to this one, exclusive.
    pub(super) end: u32,
    /// The copy of the table that is read.
    pub(super) table: u64,
    /// All copies that are written.
    pub(super) tables: Vec<u64>,
    /// Bytes of one copy.
    pub(super) table_size: u64,
    pub(super) root: Root,
    /// Where cluster 2 begins.
    pub(super) data: u64,
    /// FAT32: the sector that counts free clusters.
    pub(super) info: Option<u64>,
}

impl Geometry {
    /// Reads and checks the boot sector; the reason when it cannot be used.
    pub(super) fn read(disk: &dyn BlockSource) -> Result<Self, String> {
        let mut bytes = [0; 512];
        if disk.len() < 512 {
            return Err("too small for a boot sector".to_owned());
        }
        disk.read_at(0, &mut bytes).map_err(|error| error.to_string())?;
        let u16_at = |at: usize| u64::from(bytes[at]) | u64::from(bytes[at + 1]) << 8;
        let u32_at = |at: usize| u16_at(at) | u16_at(at + 2) << 16;
        let either = |small: u64, large: u64| if small != 0 { small } else { large };
        let (sector, cluster) = (u16_at(11), u64::from(bytes[13]));
        let (reserved, copies, root_entries) = (u16_at(14), u64::from(bytes[16]), u16_at(17));
        let total = either(u16_at(19), u32_at(32));
        let per_table = either(u16_at(22), u32_at(36));
        if !sector.is_power_of_two() || !(512..=4096).contains(&sector) || !cluster.is_power_of_two() {
            return Err(format!(
                "damaged boot sector: {sector} bytes per sector, {cluster} sectors per cluster"
            ));
        }
        let first_data = reserved + copies * per_table + (root_entries * 32).div_ceil(sector);
        if reserved == 0 || copies == 0 || per_table == 0 || first_data >= total {
            return Err(format!("damaged boot sector: data begins at sector {first_data} of {total}"));
        }
        if total * sector > disk.len() {
            return Err(format!(
                "{total} sectors of {sector} bytes do not fit the partition's {} bytes",
                disk.len()
            ));
        }
        let clusters = (total - first_data) / cluster;
        // As the kernel tells them apart: FAT32 may have few clusters.
        let (width, half_bytes) = match clusters {
            _ if u16_at(22) == 0 => (Width::Fat32, 8),
            0..4085 => (Width::Fat12, 3),
            _ => (Width::Fat16, 4),
        };
        let fits = per_table * sector * 2 / half_bytes;
        if fits < clusters + 2 {
            return Err(format!(
                "damaged boot sector: a table of {per_table} sectors is too small for {clusters} clusters"
            ));
        }
        let fat32 = width == Width::Fat32;
        // What lies above are marks.
        if clusters + 2 > 0x0fff_fff6 {
            return Err(format!("damaged boot sector: {clusters} clusters, more than can be numbered"));
        }
        let root_cluster = u32_at(44);
        if fat32 && !(2..clusters + 2).contains(&root_cluster) {
            return Err(format!(
                "damaged boot sector: the root directory is cluster {root_cluster} of {clusters}"
            ));
        }
        if !fat32 && (root_entries == 0 || clusters > 65_524) {
            return Err(format!(
                "damaged boot sector: {root_entries} entries in the root, {clusters} clusters"
            ));
        }
        let all: Vec<u64> = (0..copies).map(|copy| (reserved + copy * per_table) * sector).collect();
        // FAT32: bit 7 turns mirroring off, bits 0 to 3 then name the copy in use.
        let flags = u16_at(40);
        let (table, tables) = if fat32 && flags & 0x80 != 0 {
            let active = all.get((flags & 0xf) as usize).copied();
            let active = active
                .ok_or_else(|| format!("damaged boot sector: table {} of {copies} is in use", flags & 0xf))?;
            (active, vec![active])
        } else {
            (all[0], all)
        };
        let root_start = (reserved + copies * per_table) * sector;
        let info = u16_at(48);
        Ok(Self {
            width,
            cluster: cluster * sector,
            end: u32::try_from(clusters + 2).map_err(|_| format!("{clusters} clusters are too many"))?,
            table,
            tables,
            table_size: per_table * sector,
            root: if fat32 {
                Root::Cluster(u32::try_from(root_cluster).unwrap_or(2))
            } else {
                Root::Fixed(root_start..root_start + root_entries * 32)
            },
            data: first_data * sector,
            info: (fat32 && info > 0 && info < reserved).then_some(info * sector),
        })
    }

    /// Where a cluster begins; it is one of the file system's.
    pub(super) fn place(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster.saturating_sub(2)) * self.cluster
    }
}

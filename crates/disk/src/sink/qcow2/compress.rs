//! Clusters on their way into a qcow2 file: left out, plain or compressed.

use libdeflater::{CompressionLvl, Compressor};
use zstd::bulk;

use super::{Compression, Method};
use crate::sink::is_zero;

/// Half a percent larger than libdeflate's own default of 6, and done in little more than half the
/// time (600 clusters of a Debian root).
const DEFLATE_LEVEL: i32 = 5;

/// What is left of a cluster to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cluster {
    /// Nothing but zeros.
    Zero,
    Plain(Vec<u8>),
    Compressed(Vec<u8>),
}

enum Engine {
    None,
    Deflate(Compressor),
    /// The compressor is none when zstd had no memory for it: then clusters are stored plain.
    Zstd(Option<bulk::Compressor<'static>>),
}

/// One thread's compressor and its memory, which is one cluster.
pub(super) struct ClusterCompressor {
    engine: Engine,
    out: Vec<u8>,
}

impl ClusterCompressor {
    pub(super) fn new(compression: Compression, cluster: u64) -> Self {
        let engine = match compression.method() {
            None => Engine::None,
            Some(Method::Zlib) => {
                Engine::Deflate(Compressor::new(CompressionLvl::new(DEFLATE_LEVEL).unwrap_or_default()))
            }
            Some(Method::Zstd) => Engine::Zstd(bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL).ok()),
        };
        Self { engine, out: vec![0; cluster as usize] }
    }

    /// What becomes of the cluster `bytes`, which is whole.
    pub(super) fn cluster(&mut self, bytes: &[u8]) -> Cluster {
        if is_zero(bytes) {
            return Cluster::Zero;
        }
        // Output that does not fit into one byte less than the cluster is an error, which is
        // exactly the answer wanted.
        let room = &mut self.out[..bytes.len() - 1];
        let length = match &mut self.engine {
            Engine::None => None,
            Engine::Deflate(deflate) => deflate.deflate_compress(bytes, room).ok(),
            Engine::Zstd(zstd) => {
                zstd.as_mut().and_then(|zstd| zstd.compress_to_buffer(bytes, &mut *room).ok())
            }
        };
        match length {
            Some(length) => Cluster::Compressed(self.out[..length].to_vec()),
            None => Cluster::Plain(bytes.to_vec()),
        }
    }
}

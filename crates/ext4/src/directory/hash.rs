//! The hashes of names that order a hash tree: legacy, half MD4 and TEA, each with characters taken
//! as signed or as unsigned.
//!
//! Linux, fs/ext4/hash.c `ext4fs_dirhash`; e2fsprogs, lib/ext2fs/dirhash.c.

/// `DX_HASH_LEGACY`.
pub(super) const LEGACY: u8 = 0;
/// `DX_HASH_HALF_MD4`.
pub(super) const HALF_MD4: u8 = 1;
/// `DX_HASH_TEA`, the last of those that a hash tree's root may name without casefold.
pub(super) const TEA: u8 = 2;

/// Where half MD4 and TEA start when the file system has no seed of its own (MD4's own constants).
const DEFAULT_SEED: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// `EXT4_HTREE_EOF_32BIT`: the position behind the last name, in the hash's upper 31 bits.
const END: u32 = 0x7fff_ffff;

/// How one directory hashes its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hasher {
    /// [`LEGACY`], [`HALF_MD4`] or [`TEA`].
    version: u8,
    unsigned: bool,
    seed: [u32; 4],
}

impl Hasher {
    /// `None` for a version that is not known (siphash, of casefolded encrypted directories).
    pub(super) fn new(version: u8, unsigned: bool, seed: [u32; 4]) -> Option<Self> {
        let seed = if seed == [0; 4] { DEFAULT_SEED } else { seed };
        (version <= TEA).then_some(Self { version, unsigned, seed })
    }

    /// The hash of a name. Its lowest bit is 0: an index uses that bit to say that the names of one
    /// hash go on in a further block.
    pub(super) fn hash(&self, name: &[u8]) -> u32 {
        let hash = match self.version {
            LEGACY => self.legacy(name),
            HALF_MD4 => self.half_md4(name),
            _ => self.tea(name),
        } & !1;
        if hash == END << 1 { (END - 1) << 1 } else { hash }
    }

    fn character(&self, byte: u8) -> u32 {
        if self.unsigned { byte.into() } else { i32::from(byte.cast_signed()).cast_unsigned() }
    }

    fn legacy(&self, name: &[u8]) -> u32 {
        let (mut last, mut before) = (0x12a3_fe2d_u32, 0x37ab_e8f9_u32);
        for byte in name {
            let mut hash = before.wrapping_add(last ^ self.character(*byte).wrapping_mul(7_152_373));
            if hash & 0x8000_0000 != 0 {
                hash = hash.wrapping_sub(0x7fff_ffff);
            }
            before = last;
            last = hash;
        }
        last << 1
    }

    /// The next words of a name for one round; what is missing is filled from the length that is left.
    fn words<const N: usize>(&self, rest: &[u8]) -> [u32; N] {
        // A name has at most 255 bytes.
        let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let pad = length | length << 8;
        let pad = pad | pad << 16;
        let mut words = [pad; N];
        for (word, bytes) in words.iter_mut().zip(rest.chunks(4)) {
            *word =
                bytes.iter().fold(pad, |word, byte| self.character(*byte).wrapping_add(word.wrapping_shl(8)));
        }
        words
    }

    fn half_md4(&self, name: &[u8]) -> u32 {
        let mut state = self.seed;
        let mut rest = name;
        while !rest.is_empty() {
            let words = self.words::<8>(rest);
            half_md4_round(&mut state, &words);
            rest = rest.get(32..).unwrap_or_default();
        }
        state[1]
    }

    fn tea(&self, name: &[u8]) -> u32 {
        let mut state = [self.seed[0], self.seed[1]];
        let mut rest = name;
        while !rest.is_empty() {
            let words = self.words::<4>(rest);
            tea_round(&mut state, &words);
            rest = rest.get(16..).unwrap_or_default();
        }
        state[0]
    }
}

/// 16 cycles of TEA, added to the state (Davies-Meyer).
fn tea_round(state: &mut [u32; 2], key: &[u32; 4]) {
    let [mut left, mut right] = *state;
    let mut sum = 0_u32;
    for _ in 0..16 {
        sum = sum.wrapping_add(0x9e37_79b9);
        left = left.wrapping_add(tea_mix(right, sum, key[0], key[1]));
        right = right.wrapping_add(tea_mix(left, sum, key[2], key[3]));
    }
    state[0] = state[0].wrapping_add(left);
    state[1] = state[1].wrapping_add(right);
}

fn tea_mix(half: u32, sum: u32, first: u32, second: u32) -> u32 {
    (half << 4).wrapping_add(first) ^ half.wrapping_add(sum) ^ (half >> 5).wrapping_add(second)
}

/// A step's function of three words, as RFC 1320 calls them F, G and H.
type Mix = fn(u32, u32, u32) -> u32;

/// The rounds of half MD4: function, constant, the order of the words, the shifts.
const ROUNDS: [(Mix, u32, [usize; 8], [u32; 4]); 3] = [
    (|x, y, z| z ^ (x & (y ^ z)), 0, [0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19]),
    (|x, y, z| (x & y).wrapping_add((x ^ y) & z), 0x5a82_7999, [1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13]),
    (|x, y, z| x ^ y ^ z, 0x6ed9_eba1, [3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15]),
];

fn half_md4_round(state: &mut [u32; 4], words: &[u32; 8]) {
    let [mut a, mut b, mut c, mut d] = *state;
    for (mix, constant, order, shifts) in ROUNDS {
        for (step, word) in order.into_iter().enumerate() {
            let sum = a.wrapping_add(mix(b, c, d)).wrapping_add(words[word]).wrapping_add(constant);
            // The four words change roles from step to step: a <- d, b <- new a, c <- b, d <- c.
            (a, b, c, d) = (d, sum.rotate_left(shifts[step % 4]), b, c);
        }
    }
    for (word, change) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(change);
    }
}

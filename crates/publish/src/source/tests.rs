#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hardtack_cloud::ebs::{BLOCK, BlockEntry, BlockPage};

use super::Name;
use super::blocks::{Cache, Fetch};
use super::index::{Index, Tokens};
use crate::Error;

#[test]
fn names() {
    let newest = |owners: &[&str], filters: &[(&str, &[&str])]| {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let filters = filters.iter().map(|(name, values)| ((*name).to_owned(), texts(values))).collect();
        Name::Newest { owners: texts(owners), filters }
    };
    let ubuntu = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*";
    for (text, name) in [
        ("ami-0123456789abcdef0", Name::Image("ami-0123456789abcdef0".to_owned())),
        ("ami-12345678", Name::Image("ami-12345678".to_owned())),
        ("snap-0123456789abcdef0", Name::Snapshot("snap-0123456789abcdef0".to_owned())),
        ("ssm:/aws/service/a_b/c-d.e", Name::Parameter("/aws/service/a_b/c-d.e".to_owned())),
        ("resolve:ssm:/a", Name::Parameter("/a".to_owned())),
        (
            &format!("owner=099720109477,name={ubuntu},architecture=x86_64"),
            newest(&["099720109477"], &[("name", &[ubuntu]), ("architecture", &["x86_64"])]),
        ),
        (
            "name=a*,owner=self,owner=amazon,name=b=c",
            newest(&["self", "amazon"], &[("name", &["a*", "b=c"])]),
        ),
    ] {
        assert_eq!(Name::parse(text).unwrap(), Some(name), "{text}");
    }
    for path in [
        "disk.qcow2",
        "./ami-12345678",
        "ami-1.raw",
        "snap-dir/disk",
        "a=b",
        "/x/name=y",
        "-",
        "",
        "AMI-12345678",
    ] {
        assert_eq!(Name::parse(path).unwrap(), None, "{path}");
    }
    for wrong in [
        "ami-",
        "ami-xyz",
        "ami-0123456789abcdef01",
        "ami-1234567",
        "ami-0123456G",
        "snap-ä",
        "ssm:",
        "ssm:/a b",
        "name=a",
        "owner=self",
        "owner=self,name=",
        "owner=self,,name=a",
        "owner=self,name",
        "owner=",
    ] {
        assert!(matches!(Name::parse(wrong), Err(Error::Usage(_))), "{wrong}");
    }
}

fn page(blocks: &[u64], next: Option<&str>) -> BlockPage {
    BlockPage {
        blocks: blocks.iter().map(|index| BlockEntry { index: *index, token: format!("t{index}") }).collect(),
        size: 1,
        block_size: BLOCK as u64,
        next: next.map(str::to_owned),
    }
}

fn three_pages(next: Option<&str>) -> Result<BlockPage, Error> {
    Ok(match next {
        None => page(&[0, 1, 2, 7], Some("a")),
        Some("a") => page(&[], Some("b")),
        Some("b") => page(&[8, 9, 100], Some("c")),
        Some("c") => page(&[2047], Some("")),
        other => panic!("{other:?} was never given"),
    })
}

#[test]
fn a_page_that_is_shorter_later_hides_no_block() {
    let index = Index::walk("snap-1", three_pages).unwrap();
    let shorter = |next: Option<&str>| {
        Ok(match next {
            None => page(&[0], Some("x")),
            Some("x") => page(&[], Some("y")),
            Some("y") => page(&[1, 2, 7, 8], Some("z")),
            other => panic!("{other:?} is not asked for"),
        })
    };
    for block in [0, 1, 7] {
        let entry = Tokens::default().find(&index, block, shorter).unwrap();
        assert_eq!(entry.map(|entry| entry.index), Some(block));
    }
    // A block that was there is never read as zeros, and a list without an end ends.
    let gone = |_: Option<&str>| Ok(page(&[0, 1, 7], None));
    let error = Tokens::default().find(&index, 2, gone).unwrap_err().to_string();
    assert!(error.contains("block 2"), "{error}");
    assert!(Tokens::default().find(&index, 3, gone).unwrap().is_none());
    let endless = |_: Option<&str>| Ok(page(&[0], Some("on")));
    assert!(Tokens::default().find(&index, 7, endless).is_err());
}

#[test]
fn reading_ahead_in_a_full_disk_begins_where_one_is() {
    let full = BlockPage { size: 65536, ..page(&[], None) };
    let mut index = Index::walk("snap-1", |_| Ok(full.clone())).unwrap();
    index.runs = vec![0..u64::MAX / 2];
    // From the run's beginning this would take for ever.
    let block = u64::MAX / 4;
    assert_eq!(index.after(block, 2).collect::<Vec<_>>(), [block + 1, block + 2]);
}

#[test]
fn a_list_of_blocks_becomes_runs_and_tokens_are_listed_again() {
    let index = Index::walk("snap-1", three_pages).unwrap();
    assert_eq!((index.size, &index.runs[..]), (1, &[0..3, 7..10, 100..101, 2047..2048][..]));
    assert_eq!(index.after(1, 4).collect::<Vec<_>>(), [2, 7, 8, 9]);
    assert_eq!(index.after(2047, 4).count(), 0);
    assert!(index.may_hold(7) && !index.may_hold(3) && !index.may_hold(2046) && index.may_hold(2047));
    let mut tokens = Tokens::default();
    let listed = AtomicUsize::new(0);
    let list = |next: Option<&str>| {
        listed.fetch_add(1, Ordering::Relaxed);
        three_pages(next)
    };
    for (block, count, found) in
        [(1, 1, true), (7, 1, true), (100, 2, true), (50, 2, false), (2, 2, true), (2047, 3, true)]
    {
        let entry = tokens.find(&index, block, list).unwrap();
        assert_eq!(entry.map(|entry| entry.token), found.then(|| format!("t{block}")), "{block}");
        assert_eq!(listed.load(Ordering::Relaxed), count, "{block}");
    }
    tokens.forget();
    tokens.find(&index, 1, list).unwrap();
    assert_eq!(listed.load(Ordering::Relaxed), 4);
}

#[test]
fn lists_that_cannot_be_are_refused() {
    let walk = |pages: &[BlockPage]| {
        let mut pages = pages.iter().cloned();
        Index::walk("snap-1", |_| Ok(pages.next().unwrap_or_else(|| page(&[], Some("on")))))
    };
    let wrong = [
        vec![page(&[3, 3], None)],
        vec![page(&[3, 2], None)],
        vec![page(&[2048], None)],
        vec![page(&[u64::MAX], None)],
        vec![page(&[5], Some("a")), page(&[5], None)],
        vec![page(&[], Some("a"))],
        vec![BlockPage { block_size: 512, ..page(&[0], None) }],
        vec![BlockPage { size: 0, ..page(&[0], None) }],
        vec![BlockPage { size: u64::MAX, ..page(&[0], None) }],
        vec![page(&[0], Some("a")), BlockPage { size: 2, ..page(&[1], None) }],
    ];
    for pages in wrong {
        let error = walk(&pages).unwrap_err().to_string();
        assert!(error.starts_with("snap-1: its list of blocks "), "{pages:?}: {error}");
    }
    assert_eq!(walk(&[page(&[], None)]).unwrap().runs, []);
}

/// Blocks whose first byte is their number; every tenth is not there; 13 fails once.
#[derive(Default)]
struct Numbered {
    fetched: AtomicUsize,
    failed: AtomicUsize,
}

impl Fetch for Numbered {
    fn fetch(&self, block: u64) -> Result<Option<Vec<u8>>, Error> {
        self.fetched.fetch_add(1, Ordering::Relaxed);
        if block == 13 && self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(Error::Refused("no".to_owned()));
        }
        Ok((!block.is_multiple_of(10)).then(|| vec![u8::try_from(block % 251).unwrap(); 4]))
    }
}

/// Reads 2000 blocks by so many readers, each its own run of them; how often a block was fetched, and number 13.
fn read_all(readers: u64) -> (usize, usize) {
    struct Shared(Arc<Numbered>);
    impl Fetch for Shared {
        fn fetch(&self, block: u64) -> Result<Option<Vec<u8>>, Error> {
            self.0.fetch(block)
        }
    }
    let fetch = Arc::new(Numbered::default());
    let cache = Cache::new(Shared(fetch.clone()));
    let each = 2000 / readers;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| cache.run());
        }
        let refused = cache.get(13, std::iter::empty());
        let readers: Vec<_> = (0..readers)
            .map(|reader| {
                let cache = &cache;
                scope.spawn(move || {
                    for block in reader * each..reader * each + each {
                        let bytes = cache.get(block, block + 1..(block + 9).min(2000)).unwrap();
                        let wanted = (!block.is_multiple_of(10)).then(|| vec![(block % 251) as u8; 4]);
                        assert_eq!(bytes.as_deref(), wanted.as_ref(), "{block}");
                    }
                })
            })
            .collect();
        let ended: Vec<_> = readers.into_iter().map(|reader| reader.join().is_ok()).collect();
        cache.stop();
        assert!(refused.unwrap_err().contains("no"));
        assert!(ended.iter().all(|good| *good));
    });
    (fetch.fetched.load(Ordering::Relaxed), fetch.failed.load(Ordering::Relaxed))
}

#[test]
fn blocks_come_to_many_readers() {
    // How many of them are fetched twice depends on who has to wait: what is kept is for all.
    let (fetched, failed) = read_all(4);
    assert!(fetched > 2000, "{fetched}");
    assert!(failed >= 2, "who reads it next asks again");
}

#[test]
fn one_who_reads_on_has_every_block_fetched_once() {
    // What was read long ago goes before what was fetched ahead.
    assert_eq!(read_all(1), (2001, 2), "and the one that failed once more");
}

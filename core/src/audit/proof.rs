//! Proofs that an entry is in the log: RFC 9162 section 2.1.3.

use std::collections::BTreeMap;

use crate::audit::node_hash;
use crate::digest::Digest;

/// Grows the tree leaf by leaf and keeps what proves the wanted ones: no more than the right edge and
/// their paths, however long the log is.
#[derive(Clone, Debug, Default)]
pub struct Prover {
    size: u64,
    peaks: Vec<Peak>,
    paths: BTreeMap<u64, Vec<Digest>>,
}

/// The root of a full subtree, and where its leaves begin.
#[derive(Clone, Copy, Debug)]
struct Peak {
    hash: Digest,
    from: u64,
}

impl Prover {
    /// For the leaves at these places.
    pub fn of(wanted: impl IntoIterator<Item = u64>) -> Self {
        let paths = wanted.into_iter().map(|index| (index, Vec::new())).collect();
        Self { paths, ..Self::default() }
    }

    /// How many leaves it has seen.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Digest) {
        let mut node = Peak { hash: leaf, from: self.size };
        self.size += 1;
        // Each trailing one bit of the old size is a full subtree that this leaf completes a pair for.
        for _ in 0..(self.size - 1).trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = self.join(left, node, self.size);
            }
        }
        self.peaks.push(node);
    }

    /// One node of two, the right one's leaves ending before `end`.
    fn join(&mut self, left: Peak, right: Peak, end: u64) -> Peak {
        for (_, path) in self.paths.range_mut(left.from..right.from) {
            path.push(right.hash);
        }
        for (_, path) in self.paths.range_mut(right.from..end) {
            path.push(left.hash);
        }
        Peak { hash: node_hash(&left.hash, &right.hash), from: left.from }
    }

    /// The root over all leaves, and the path of each that was wanted and is there.
    pub fn finish(mut self) -> (Option<Digest>, BTreeMap<u64, Vec<Digest>>) {
        let size = self.size;
        let mut peaks = std::mem::take(&mut self.peaks).into_iter().rev();
        let root = peaks.next().map(|smallest| {
            let mut whole = smallest;
            for left in peaks {
                whole = self.join(left, whole, size);
            }
            whole.hash
        });
        self.paths.retain(|index, _| *index < size);
        (root, self.paths)
    }
}

/// Whether this path leads from a leaf at this place to the root of a tree of this size (RFC 9162
/// section 2.1.3.2).
pub fn includes(leaf: Digest, index: u64, path: &[Digest], (size, root): (u64, Digest)) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut at, mut last) = (leaf, index, size - 1);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            node = node_hash(sibling, &node);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            node = node_hash(&node, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && node == root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Frontier, leaf_hash};

    fn leaf(n: u64) -> Digest {
        leaf_hash(&n.to_be_bytes())
    }

    #[test]
    fn every_leaf_of_every_tree_is_proven_and_no_other() {
        for size in 1..70 {
            let mut prover = Prover::of(0..size + 3);
            let mut frontier = Frontier::default();
            (0..size).for_each(|n| {
                prover.push(leaf(n));
                frontier.push(leaf(n));
            });
            let (root, paths) = prover.finish();
            assert_eq!(root, Some(frontier.root()));
            assert_eq!(paths.len() as u64, size);
            let tree = (size, frontier.root());
            for (index, path) in &paths {
                assert!(includes(leaf(*index), *index, path, tree), "{index} of {size}");
                assert!(!includes(leaf(*index + 1), *index, path, tree));
                assert!(!includes(leaf(*index), index + 1, path, tree));
                assert!(!includes(leaf(*index), *index, path, (size, leaf(0))) || size == 1);
                let longer = [path.as_slice(), &[leaf(0)]].concat();
                assert!(!includes(leaf(*index), *index, &longer, tree));
                if let Some((_, shorter)) = path.split_last() {
                    assert!(!includes(leaf(*index), *index, shorter, tree));
                }
            }
        }
        assert_eq!(Prover::of([1]).finish(), (None, BTreeMap::new()));
    }

    #[test]
    fn t53_a_changed_path_proves_nothing() {
        let mut prover = Prover::of([11]);
        (0..50).for_each(|n| prover.push(leaf(n)));
        let (root, paths) = prover.finish();
        let tree = (50, root.unwrap());
        let path = &paths[&11];
        for at in 0..path.len() {
            for bit in 0..256 {
                let mut bytes = *path[at].as_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let mut changed = path.clone();
                changed[at] = Digest::from_bytes(bytes);
                assert!(!includes(leaf(11), 11, &changed, tree));
            }
        }
    }
}

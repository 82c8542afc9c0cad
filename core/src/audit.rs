//! The Merkle tree over all entries: RFC 6962 section 2.1.
//!
//! Only hashing lives here: leaves, nodes, and the frontier from which the root of a growing tree
//! is known without keeping the tree.

mod proof;

use crate::digest::Digest;

pub use proof::{Prover, includes};

/// The hash of a leaf: SHA-256 of a zero byte and the entry (RFC 6962 section 2.1).
pub fn leaf_hash(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], entry])
}

/// The hash of a node: SHA-256 of a one byte and both children (RFC 6962 section 2.1).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The roots of the full subtrees on the right edge of a tree, largest first: all that is needed
/// to append and to know the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// A frontier that was kept; `None` when the number of peaks is not that of this size.
    pub fn from_parts(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the full subtrees, largest first.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        // Each trailing one bit of the old size is a full subtree that this leaf completes a pair for.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root; of no leaves, the hash of nothing (RFC 6962 section 2.1).
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(smallest) = peaks.next() else { return Digest::of(b"") };
        peaks.fold(smallest, |right, left| node_hash(&left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962 section 2.1, as written there.
    fn root_by_definition(entries: &[Vec<u8>]) -> Digest {
        match entries {
            [] => Digest::of(b""),
            [one] => leaf_hash(one),
            many => {
                let split = (1..many.len()).rev().find(|n| n.is_power_of_two()).unwrap();
                let (left, right) = many.split_at(split);
                node_hash(&root_by_definition(left), &root_by_definition(right))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_rfc_6962_at_every_size() {
        let entries: Vec<Vec<u8>> = (0u8..70).map(|n| vec![n; n as usize]).collect();
        let mut frontier = Frontier::default();
        for size in 0..entries.len() {
            assert_eq!(frontier.root(), root_by_definition(&entries[..size]), "size {size}");
            let kept = Frontier::from_parts(frontier.size(), frontier.peaks().to_vec());
            assert_eq!(kept.as_ref(), Some(&frontier));
            frontier.push(leaf_hash(&entries[size]));
        }
    }

    #[test]
    fn known_roots_of_certificate_transparency() {
        let hex = |digest: Digest| digest.hex();
        assert_eq!(
            hex(Frontier::default().root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            hex(leaf_hash(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
    }

    #[test]
    fn t53_a_changed_moved_or_dropped_entry_changes_the_root() {
        let root = |entries: &[&str]| {
            let mut frontier = Frontier::default();
            entries.iter().for_each(|entry| frontier.push(leaf_hash(entry.as_bytes())));
            frontier.root()
        };
        let base = root(&["a", "b", "c", "d", "e"]);
        for other in [
            &["a", "b", "c", "d"][..],
            &["a", "b", "c", "e", "d"],
            &["a", "b", "x", "d", "e"],
            &["a", "b", "c", "d", "e", "e"],
        ] {
            assert_ne!(root(other), base);
        }
    }
}

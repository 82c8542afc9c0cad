//! A digest as eight words that two people can read to each other, and one can compare on two screens.

use crate::digest::Digest;

const CONSONANTS: [char; 16] =
    ['b', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z'];
const VOWELS: [char; 4] = ['a', 'i', 'o', 'u'];

/// Eight words, each of 16 bits: the first 128 bits of the digest. The list is that of all words of
/// five letters from these consonants and vowels in turn, 65,536 of them. With fewer, whoever writes a
/// change could find two with the same words, one of them to be shown.
pub fn words(digest: &Digest) -> String {
    let word = |pair: &[u8]| {
        let bits = pair.iter().fold(0, |bits: usize, byte| bits << 8 | usize::from(*byte));
        let consonant = |from: usize| CONSONANTS.get(bits >> from & 15);
        let vowel = |from: usize| VOWELS.get(bits >> from & 3);
        let letters = [consonant(12), vowel(10), consonant(6), vowel(4), consonant(0)];
        letters.into_iter().flatten().collect::<String>()
    };
    digest.head::<16>().chunks(2).map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_first_128_bits_and_nothing_else() {
        let mut bytes = [0; 32];
        let of = |bytes| words(&Digest::from_bytes(bytes));
        assert_eq!(of(bytes), ["babab"; 8].join(" "));
        assert_eq!(of([255; 32]), ["zuzuz"; 8].join(" "));
        // 127.0.0.1 and 63.84.220.193, as in the proposal for such words (arXiv:0901.4016).
        bytes[..8].copy_from_slice(&[127, 0, 0, 1, 63, 84, 220, 193]);
        assert!(of(bytes).starts_with("lusab babad gutih tugad babab"));
        let mut seen = std::collections::BTreeSet::new();
        for bit in 0..128 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(of(flipped)), "bit {bit}");
        }
        assert!(!seen.contains(&of(bytes)));
    }
}

//! The committed corpus, replayed: every input as it is, and bent in many fixed ways, must keep what its target asserts.
//! Also that the corpus holds every seed, so that its origin is known.
#![allow(
    clippy::unwrap_used,
    reason = "what a test needs and does not get is its failure"
)]

use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use weft_fuzz::{TARGETS, seeds};

fn inputs(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = seeds::corpus(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect()
}

#[test]
fn the_corpus_holds_every_seed_and_says_what_fuzzing_found() {
    let update = std::env::var_os("UPDATE_CORPUS").is_some();
    for (target, _) in TARGETS {
        let seeds = seeds::of(target);
        assert!(seeds.len() >= 20, "{target} has few seeds");
        fs::create_dir_all(seeds::corpus(target)).unwrap();
        if update {
            for (name, bytes) in &seeds {
                fs::write(seeds::corpus(target).join(name), bytes).unwrap();
            }
        }
        let mut inputs = inputs(target);
        for (name, bytes) in seeds {
            assert_eq!(
                inputs.remove(&name),
                Some(bytes),
                "{target}/{name}; UPDATE_CORPUS=1 writes it"
            );
        }
        for name in inputs.keys() {
            assert!(
                name.starts_with("found-"),
                "{target}/{name} is neither a seed nor found by fuzzing"
            );
        }
    }
}

#[test]
fn every_input_of_the_corpus_keeps_what_its_target_asserts() {
    for (target, run) in TARGETS {
        for (name, bytes) in inputs(target) {
            assert!(bytes.len() <= 8_192, "{target}/{name} is large");
            assert!(catch_unwind(|| run(&bytes)).is_ok(), "{target}/{name}");
        }
    }
}

/// xorshift64*, seeded: the same bent inputs in every run.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n.max(1)
    }
}

fn bend(rng: &mut Rng, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=rng.below(4) {
        let (at, end) = (rng.below(out.len() + 1), rng.below(out.len() + 1));
        let (from, to) = (at.min(end), at.max(end));
        match rng.below(6) {
            0 if at < out.len() => out[at] ^= 1 << rng.below(8),
            1 if at < out.len() => out[at] = [0, 0x7f, 0x80, 0xff, b'\n', b'$'][rng.below(6)],
            2 => out.truncate(at),
            3 => drop(out.drain(from..to.min(from + 32))),
            4 => {
                let piece = out[from..to.min(from + 64)].to_vec();
                out.splice(at..at, piece);
            }
            _ => {
                let cut = rng.below(other.len() + 1);
                out.splice(at.., other[cut..].iter().copied());
            }
        }
        out.truncate(16_384);
    }
    out
}

#[test]
fn bent_inputs_keep_it_too() {
    for (target, run) in TARGETS {
        let inputs: Vec<Vec<u8>> = inputs(target).into_values().collect();
        let mut rng = Rng(0x5eed);
        for _ in 0..20_000 {
            let (a, b) = (rng.below(inputs.len()), rng.below(inputs.len()));
            let bytes = bend(&mut rng, &inputs[a], &inputs[b]);
            let ok = catch_unwind(|| run(&bytes)).is_ok();
            assert!(ok, "{target}: {}", bytes.escape_ascii());
        }
    }
}

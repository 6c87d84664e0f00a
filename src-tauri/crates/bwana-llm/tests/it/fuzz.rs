//! Random damage to real replies: whatever arrives, the reader answers, keeps its limits and does not panic.
//! A plain seeded generator, so that a failure names the round that shows it again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bwana_llm::{Dialect, Limits, OpenAiChat, ReplyContext};

use crate::show::{assert_deltas_add_up, through};
use crate::wire_table::cases;

/// Whether the long runs were asked for.
pub(crate) fn full() -> bool {
    std::env::var_os("BWANA_FULL").is_some_and(|value| value == "1")
}

/// SplitMix64: small, seeded, good enough to choose where to hurt.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

/// Pieces that break parsers.
const EVIL: [&[u8]; 18] = [
    b"\n\n",
    b"\r",
    b"data:",
    b"data: ",
    b": ",
    b"event: error\n",
    b"[DONE]",
    b"\xF0\x9F",
    b"\xEF\xBB\xBF",
    b"null",
    b"{\"error\":",
    b"\\ud83d",
    b"[[[[[[[[",
    b"1e999",
    b"-1",
    b"\"index\":3000000,",
    b"\"}",
    b"<html>",
];

pub(crate) fn hurt(body: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(body.len() + 1);
    match random.below(7) {
        0 => body.truncate(at),
        1 if !body.is_empty() => {
            let at = at.min(body.len() - 1);
            body[at] ^= 1 << random.below(8);
        }
        2 => {
            let evil = EVIL[random.below(EVIL.len())];
            body.splice(at..at, evil.iter().copied());
        }
        3 => {
            let end = (at + random.below(20)).min(body.len());
            body.drain(at..end);
        }
        4 => {
            let end = (at + random.below(60)).min(body.len());
            let piece = body[at..end].to_vec();
            body.splice(at..at, piece);
        }
        5 if !other.is_empty() => {
            let from = random.below(other.len());
            let end = (from + random.below(120)).min(other.len());
            body.splice(at..at, other[from..end].iter().copied());
        }
        _ => body.push(u8::try_from(random.below(256)).unwrap()),
    }
}

/// Damages `bodies` in as many rounds as were asked for.
pub(crate) fn run(dialect: &dyn Dialect, bodies: &[Vec<u8>]) {
    let rounds = if full() { 1_000_000 } else { 100_000 };
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(2_026_u64);
    let limits = Limits {
        event_bytes: 600,
        reply_bytes: 4_000,
        tool_calls: 4,
        ..Limits::default()
    };
    let context = ReplyContext::default();
    for round in 0..rounds {
        let mut random = Random::new(seed.wrapping_add(round));
        let mut body = bodies[random.below(bodies.len())].clone();
        let other = &bodies[random.below(bodies.len())];
        for _ in 0..=random.below(6) {
            hurt(&mut body, other, &mut random);
        }
        let cut = random.below(body.len() + 1);
        let (a, b) = body.split_at(cut);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let answer = through(dialect, [a, b], &context, &limits);
            assert_deltas_add_up(&answer);
            answer
        }));
        let Ok(answer) = caught else {
            panic!(
                "round {round} of seed {seed} panics on {:?}",
                String::from_utf8_lossy(&body)
            );
        };
        // Every round also proves that the split does not matter, for bytes nobody thought of.
        if round % 16 == 0 {
            let single = through(dialect, [body.as_slice()], &context, &limits);
            assert_eq!(
                answer,
                single,
                "round {round} of seed {seed}: {:?}",
                String::from_utf8_lossy(&body)
            );
        }
    }
}

#[test]
fn no_damage_makes_the_reader_panic() {
    let bodies: Vec<Vec<u8>> = cases()
        .into_iter()
        .filter(|case| case.status == 200)
        .map(|case| case.body.into_bytes())
        .collect();
    run(&OpenAiChat, &bodies);
}
